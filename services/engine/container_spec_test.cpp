#include "services/engine/container_spec.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "services/engine/error.hpp"

namespace engine {
namespace {

ContainerSpec parse(const std::string& text) { return parse_container_spec(Json::parse(text)); }

// The status and sentence with which a body is refused; "" where it is not.
std::string refusal(const std::string& text) {
    try {
        parse(text);
        return "";
    } catch (const ApiError& error) {
        EXPECT_EQ(error.status, 400);
        return error.what();
    }
}

std::string with_host(const std::string& host) { return R"({"Image":"busybox","HostConfig":)" + host + "}"; }

TEST(ContainerSpec, TakesWhatTheCommandLineClientSends) {
    const ContainerSpec spec = parse(
        R"({"Hostname":"","User":"1:1","AttachStdout":true,"Tty":false,"OpenStdin":true,"StdinOnce":true,"Env":["A=1"],"Cmd":["true"],"Image":"alpine",
        "ExposedPorts":{"80/tcp":{}},"Volumes":{},"Entrypoint":null,"OnBuild":null,"Labels":{"x":"y"},"HostConfig":{"Binds":null,"LogConfig":{"Type":"","Config":{}},"NetworkMode":"default",
        "PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":true,"ConsoleSize":[24,80],"Dns":[],"Memory":67108864,
        "NanoCpus":1500000000,"MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,"MaskedPaths":null},"NetworkingConfig":{"EndpointsConfig":{"default":{}}}})");
    EXPECT_EQ(spec.command, std::vector<std::string>{"true"});
    EXPECT_TRUE(spec.auto_remove && spec.open_stdin && spec.stdin_once && !spec.terminal && spec.network);
    EXPECT_EQ(spec.memory_bytes, 67108864U);
    EXPECT_EQ(spec.processor.nano_cpus, 1500000000U);
    EXPECT_EQ(spec.rows, 24);
    EXPECT_EQ(spec.columns, 80);
    ASSERT_EQ(spec.publish.size(), 1U);
    EXPECT_EQ(spec.publish[0].node_port, 8080);
    EXPECT_EQ(spec.publish[0].container.number, 80);
    EXPECT_TRUE(spec.warnings.empty());
}

TEST(ContainerSpec, NamesTheSettingThatItRefuses) {
    for (const char* name : {"Binds", "Mounts", "Devices", "DeviceRequests", "CapAdd", "CapDrop", "SecurityOpt",
                             "VolumesFrom", "Ulimits", "Dns", "Links", "GroupAdd", "SomethingNew"})
        EXPECT_EQ(refusal(with_host(R"({")" + std::string(name) + R"(":["x"]})")),
                  "HostConfig." + std::string(name) + " is not supported by this node");
    for (const char* name : {"Privileged", "ReadonlyRootfs", "Init"})
        EXPECT_EQ(refusal(with_host(R"({")" + std::string(name) + R"(":true})")),
                  "HostConfig." + std::string(name) + " is not supported by this node");
    EXPECT_EQ(refusal(with_host(R"({"Privileged":false,"Binds":[],"Tmpfs":{},"PidMode":""})")), "");
    EXPECT_EQ(refusal(R"({"Image":"x","Volumes":{"/data":{}}})"), "Volumes is not supported by this node");
    EXPECT_EQ(refusal(R"({"Image":"x","Healthcheck":{"Test":["CMD","true"]}})"),
              "Healthcheck is not supported by this node");
    EXPECT_EQ(refusal(R"({"Image":"x","Healthcheck":{"Test":["NONE"]}})"), "");
}

TEST(ContainerSpec, RefusesWrongTypesAndRanges) {
    for (const char* text :
         {R"({})", R"({"Image":""})", R"({"Image":3})", R"({"Image":"x","Cmd":[3]})", R"({"Image":"x","Env":["=1"]})",
          R"({"Image":"x","Env":[""]})", R"({"Image":"x","Labels":[]})", R"({"Image":"x","Labels":{"a":1}})",
          R"({"Image":"x","Tty":"yes"})", R"({"Image":"x","WorkingDir":"rel"})", R"({"Image":"x","Hostname":"a b"})",
          R"({"Image":"x","StopSignal":"NOPE"})", R"({"Image":"x","ExposedPorts":{"0":{}}})",
          R"({"Image":"x","HostConfig":3})", R"({"Image":"x","MacAddress":"02:42:ac:11:00:02"})",
          R"({"Image":"x","NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":{"IPv4Address":"172.17.0.9"}}}}})",
          R"({"Image":"x","NetworkingConfig":{"EndpointsConfig":{"bridge":{"Aliases":["a"]}}}})",
          R"({"Image":"x","NetworkingConfig":{"EndpointsConfig":{"bridge":3}}})"})
        EXPECT_NE(refusal(text), "") << text;
    for (const char* host :
         {R"({"Memory":-1})", R"({"Memory":1})", R"({"Memory":1.5})", R"({"Memory":18446744073709551615})",
          R"({"NanoCpus":-1})", R"({"NanoCpus":1,"CpuQuota":1})", R"({"PortBindings":{"80/sctp":[]}})",
          R"({"PortBindings":{"80":[{"HostPort":"70000"}]}})", R"({"PortBindings":{"80":[3]}})",
          R"({"PortBindings":{"80":{}}})", R"({"PortBindings":{"80":[{"HostIp":"10.0.0.1","HostPort":"1"}]}})",
          R"({"NetworkMode":"host"})", R"({"NetworkMode":"container:x"})",
          R"({"NetworkMode":"none","PortBindings":{"80":[{}]}})", R"({"RestartPolicy":{"Name":"sometimes"}})",
          R"({"RestartPolicy":{"Name":"always","MaximumRetryCount":1}})",
          R"({"RestartPolicy":{"Name":"always"},"AutoRemove":true})", R"({"LogConfig":{"Type":"syslog"}})",
          R"({"LogConfig":{"Type":"local","Config":{"max-size":"x"}}})"})
        EXPECT_NE(refusal(with_host(host)), "") << host;
}

TEST(ContainerSpec, WarnsOfWhatHasNoEffect) {
    const auto warnings = [](const std::string& host) { return parse(with_host(host)).warnings; };
    const auto one = [](const std::string& what) { return std::vector<std::string>{what + " has no effect on this node"}; };
    EXPECT_EQ(warnings(R"({"ShmSize":67108864})"), one("HostConfig.ShmSize"));
    EXPECT_EQ(warnings(R"({"CgroupnsMode":"host"})"), one("HostConfig.CgroupnsMode"));
    EXPECT_EQ(warnings(R"({"MaskedPaths":[]})"), one("HostConfig.MaskedPaths"));
    EXPECT_EQ(warnings(R"({"ReadonlyPaths":["/proc/sys"]})"), one("HostConfig.ReadonlyPaths"));
    EXPECT_EQ(warnings(R"({"MemorySwappiness":10})"), one("HostConfig.MemorySwappiness"));
    EXPECT_EQ(warnings(R"({"Memory":67108864,"MemorySwap":134217728})"), one("HostConfig.MemorySwap"));
    EXPECT_EQ(warnings(R"({"LogConfig":{"Type":"json-file","Config":{"max-size":"1m","max-file":"3"}}})"), one("the log option max-file"));
    EXPECT_EQ(warnings(R"({"MemorySwappiness":-1,"MaskedPaths":null,"Memory":67108864,"MemorySwap":67108864,"CgroupnsMode":"private"})"), std::vector<std::string>());
    EXPECT_NE(refusal(with_host(R"({"MemorySwappiness":101})")), "");
    EXPECT_NE(refusal(with_host(R"({"LogConfig":{"Config":{"max-siz":"1m"}}})")), "");
}

TEST(ContainerSpec, IsOnOneNetwork) {
    const auto on = [](const std::string& mode, const std::string& endpoints) {
        return refusal(R"({"Image":"x","HostConfig":{"NetworkMode":")" + mode + R"("},"NetworkingConfig":{"EndpointsConfig":)" + endpoints + "}}");
    };
    for (const char* mode : {"", "default", "bridge"})
        for (const char* endpoints : {"{}", R"({"default":{}})", R"({"bridge":null})"}) EXPECT_EQ(on(mode, endpoints), "") << mode << endpoints;
    EXPECT_EQ(on("none", R"({"none":{}})"), "");
    EXPECT_NE(on("bridge", R"({"bridge":{},"none":{}})"), "");
    EXPECT_NE(on("bridge", R"({"none":{}})"), "");
    EXPECT_NE(on("none", R"({"bridge":{}})"), "");
    EXPECT_NE(on("bridge", R"({"mine":{}})"), "");
    EXPECT_FALSE(parse(R"({"Image":"x","NetworkDisabled":true})").network);
}

TEST(ContainerSpec, AnExposedPortOfSctpIsNotPublished) {
    ContainerSpec spec = parse(R"({"Image":"x","Cmd":["a"],"ExposedPorts":{"36412/sctp":{},"80/tcp":{}},"HostConfig":{"PublishAllPorts":true}})");
    apply_image(spec, Json::parse(R"({"config":{}})"));
    ASSERT_EQ(spec.exposed.size(), 2U);
    ASSERT_EQ(spec.publish.size(), 1U);
    EXPECT_EQ(spec.publish[0].container.text(), "80/tcp");
    EXPECT_EQ(parse_port("36412/SCTP").text(), "36412/sctp");
    EXPECT_NE(refusal(with_host(R"({"PortBindings":{"80/sctp":[{"HostPort":"80"}]}})")), "");
}

TEST(ContainerSpec, FusedHoldsNobodyButRoot) {
    EXPECT_FALSE(parse(with_host(R"({"Isolation":"default"})")).fused);
    EXPECT_FALSE(parse(with_host(R"({"Isolation":"split"})")).fused);
    EXPECT_NE(refusal(with_host(R"({"Isolation":"hyperv"})")), "");
    const auto as = [](const std::string& user) { return R"({"Image":"x","User":")" + user + R"(","HostConfig":{"Isolation":"fused"}})"; };
    for (const char* user : {"", "root", "0", "root:www-data", "0:5"}) EXPECT_TRUE(parse(as(user)).fused) << user;
    for (const char* user : {"www-data", "1000", "1:0", "00x"}) EXPECT_NE(refusal(as(user)), "") << user;
    // The image's user is one as well, but where another one is asked for.
    const Json image = Json::parse(R"({"config":{"Cmd":["sh"],"User":"postgres"}})");
    ContainerSpec spec = parse(as("")), root = parse(as("root"));
    EXPECT_THROW(apply_image(spec, image), ApiError);
    EXPECT_NO_THROW(apply_image(root, image));
}

TEST(ContainerSpec, TakesProcessorTimeAsDockerDoes) {
    const auto limits = [](const std::string& host) { return parse(with_host(host)).processor; };
    EXPECT_EQ(limits("{}").quota(), 0U);
    EXPECT_EQ(limits("{}").period(), 100000U);
    EXPECT_EQ(limits(R"({"NanoCpus":1500000000})").quota(), 150000U);
    EXPECT_EQ(limits(R"({"CpuQuota":25000,"CpuPeriod":50000})").quota(), 25000U);
    EXPECT_EQ(limits(R"({"CpuQuota":25000,"CpuPeriod":50000})").period(), 50000U);
    EXPECT_EQ(limits(R"({"CpuQuota":-1,"CpuShares":2048})").quota(), 0U);
    EXPECT_EQ(limits(R"({"CpuShares":2048})").shares, 2048U);
    EXPECT_EQ(limits(R"({"CpuPeriod":1000})").cfs_period, 1000U);
    EXPECT_EQ(limits(R"({"CpuPeriod":1000000,"CpuQuota":1000})").cfs_period, 1000000U);
    const std::string period = "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)";
    EXPECT_EQ(refusal(with_host(R"({"CpuPeriod":999})")), period);
    EXPECT_EQ(refusal(with_host(R"({"CpuPeriod":1000001})")), period);
    EXPECT_EQ(refusal(with_host(R"({"CpuQuota":999})")), "CPU cfs quota can not be less than 1ms (i.e. 1000)");
    EXPECT_EQ(refusal(with_host(R"({"NanoCpus":10000000,"CpuQuota":1000})")), "Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    EXPECT_EQ(refusal(with_host(R"({"NanoCpus":10000000,"CpuPeriod":1000})")), "Conflicting options: Nano CPUs and CPU Period cannot both be set");
}

TEST(ContainerSpec, KnowsHowManyProcessorsThereAre) {
    const auto refused = [](std::uint64_t nano_cpus) {
        try {
            check_processors({.nano_cpus = nano_cpus}, 2);
            return std::string();
        } catch (const ApiError& error) {
            EXPECT_EQ(error.status, 400);
            return std::string(error.what());
        }
    };
    const std::string range = "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available";
    EXPECT_EQ(refused(0), "");
    EXPECT_EQ(refused(10000000), "");
    EXPECT_EQ(refused(2000000000), "");
    EXPECT_EQ(refused(9999999), range);
    EXPECT_EQ(refused(2000000001), range);
    EXPECT_EQ(refused(INT64_MAX), range);
}

TEST(ContainerSpec, ReadsSetsOfProcessorsAsDockerDoes) {
    const auto limits = [](const std::string& host) { return parse(with_host(host)).processor; };
    EXPECT_EQ(limits(R"({"CpusetCpus":""})").processors, 0U);
    EXPECT_EQ(limits(R"({"CpusetCpus":"1"})").processors, 2U);
    EXPECT_EQ(limits(R"({"CpusetCpus":"0-2,5,63"})").processors, 0x8000'0000'0000'0027U);
    EXPECT_EQ(limits(R"({"CpusetCpus":"0-63"})").processors, UINT64_MAX);
    for (const char* text : {"x", "1-x", "2-1", "-", "1,,2", "1,", ",", "1-2-3", "18446744073709551616"})
        EXPECT_EQ(refusal(with_host(Json{{"CpusetCpus", text}}.dump())), "Invalid value " + std::string(text) + " for cpuset cpus") << text;
    EXPECT_EQ(refusal(with_host(R"({"CpusetMems":"0"})")), "");
    EXPECT_EQ(refusal(with_host(R"({"CpusetMems":"1"})")), "Requested memory nodes are not available - requested 1, available: 0");
    EXPECT_EQ(refusal(with_host(R"({"CpusetMems":"0-x"})")), "Invalid value 0-x for cpuset mems");
    const auto unavailable = [&](const char* host, std::uint64_t cpus) {
        try {
            check_processors(limits(host), cpus);
            return std::string();
        } catch (const ApiError& error) {
            EXPECT_EQ(error.status, 400);
            return std::string(error.what());
        }
    };
    EXPECT_EQ(unavailable(R"({"CpusetCpus":"0,1"})", 2), "");
    EXPECT_EQ(unavailable(R"({"CpusetCpus":"7"})", 2), "Requested CPUs are not available - requested 7, available: 0-1");
    EXPECT_EQ(unavailable(R"({"CpusetCpus":"0-64"})", 64), "Requested CPUs are not available - requested 0-64, available: 0-63");
    EXPECT_EQ(unavailable(R"({"CpusetCpus":"1"})", 1), "Requested CPUs are not available - requested 1, available: 0");
}

TEST(ContainerSpec, RefusesMemoryAsDockerDoes) {
    EXPECT_EQ(refusal(with_host(R"({"Memory":6291455})")), "Minimum memory limit allowed is 6MB");
    EXPECT_EQ(refusal(with_host(R"({"Memory":6291456})")), "");
    EXPECT_EQ(refusal(with_host(R"({"Memory":67108864,"MemorySwap":67108863})")),
              "Minimum memoryswap limit should be larger than memory limit, see usage");
    EXPECT_EQ(refusal(with_host(R"({"MemorySwap":67108864})")), "You should always set the Memory limit when using Memoryswap limit, see usage");
    EXPECT_EQ(refusal(with_host(R"({"Memory":67108864,"MemorySwap":67108864})")), "");
    EXPECT_EQ(refusal(with_host(R"({"Memory":67108864,"MemorySwap":-1})")), "");
}

ProcessorLimits updated(const ProcessorLimits& limits, Json body) {
    std::vector<std::string> warnings;
    return updated_limits(limits, std::move(body), warnings);
}

TEST(ContainerSpec, UpdatesProcessorTimeAlone) {
    // The status of the refusal; 0 where there is none.
    const auto status = [](const ProcessorLimits& limits, const char* body) {
        try {
            updated(limits, Json::parse(body));
            return 0;
        } catch (const ApiError& error) {
            return error.status;
        }
    };
    const ProcessorLimits half{.nano_cpus = 500000000, .shares = 512};
    const ProcessorLimits cfs{.cfs_quota = 20000, .cfs_period = 40000};
    // As the command line client sends it: all members, most of them asking for nothing.
    const ProcessorLimits changed = updated(
        half, Json::parse(R"({"CpuShares":0,"Memory":0,"NanoCpus":1000000000,"CpuQuota":0,"BlkioWeightDevice":null,"PidsLimit":0,"RestartPolicy":{"Name":"","MaximumRetryCount":0}})"));
    EXPECT_EQ(changed.quota(), 100000U);
    EXPECT_EQ(changed.shares, 512U);
    EXPECT_EQ(updated(half, Json::parse(R"({"CpuShares":2048})")).shares, 2048U);
    EXPECT_EQ(updated(cfs, Json::parse(R"({"CpuQuota":-1})")).quota(), 0U);
    EXPECT_EQ(updated(cfs, Json::parse(R"({"CpuPeriod":80000})")).quota(), 20000U);
    EXPECT_EQ(status(half, R"({"CpuQuota":20000})"), 409);
    EXPECT_EQ(status(half, R"({"CpuPeriod":20000})"), 409);
    EXPECT_EQ(status(cfs, R"({"NanoCpus":500000000})"), 409);
    EXPECT_EQ(status({.cfs_period = 40000}, R"({"NanoCpus":500000000})"), 409);
    EXPECT_EQ(status(half, R"({"CpuQuota":1})"), 400);
    EXPECT_EQ(updated(half, Json::parse(R"({"CpusetCpus":"1"})")).processors, 2U);
    EXPECT_EQ(updated({.cpuset = "1", .processors = 2}, Json::parse(R"({"CpusetCpus":"","NanoCpus":1000000000})")).processors, 2U);
    for (const char* body : {R"({"Memory":67108864})", R"({"MemorySwap":-1})", R"({"PidsLimit":5})", R"({"CpusetMems":"0"})", R"({"RestartPolicy":{"Name":"always"}})", R"({"Other":1})"})
        EXPECT_EQ(status(half, body), 501) << body;
}

TEST(ContainerSpec, MergesTheImage) {
    const Json image = Json::parse(
        R"({"config":{"Env":["PATH=/bin","A=image","B=image"],"Cmd":["sh"],"Entrypoint":["/entry"],"WorkingDir":"/w","User":"u","Labels":{"l":"image","m":"image"},
        "ExposedPorts":{"80/tcp":{}},"StopSignal":"SIGQUIT"}})");
    ContainerSpec spec = parse(R"({"Image":"x","Env":["A=mine"],"Labels":{"l":"mine"}})");
    apply_image(spec, image);
    EXPECT_EQ(spec.arguments(), (std::vector<std::string>{"/entry", "sh"}));
    EXPECT_EQ(spec.environment, (std::vector<std::string>{"A=mine", "PATH=/bin", "B=image"}));
    EXPECT_EQ(spec.labels, (std::map<std::string, std::string>{{"l", "mine"}, {"m", "image"}}));
    EXPECT_EQ(spec.directory, "/w");
    EXPECT_EQ(spec.user, "u");
    EXPECT_EQ(spec.stop_signal, "SIGQUIT");
    EXPECT_EQ(spec.exposed.size(), 1U);

    ContainerSpec other = parse(R"({"Image":"x","Cmd":["a"],"HostConfig":{"PublishAllPorts":true}})");
    apply_image(other, image);
    EXPECT_EQ(other.arguments(), (std::vector<std::string>{"/entry", "a"}));
    ASSERT_EQ(other.publish.size(), 1U);
    EXPECT_EQ(other.publish[0].node_port, 0);

    // An entry point of the client's own drops the image's command; [""] clears the entry point.
    ContainerSpec own = parse(R"({"Image":"x","Entrypoint":["e"]})");
    apply_image(own, image);
    EXPECT_EQ(own.arguments(), std::vector<std::string>{"e"});
    ContainerSpec nothing = parse(R"({"Image":"x","Entrypoint":[""]})");
    EXPECT_THROW(apply_image(nothing, image), ApiError);
}

TEST(ContainerSpec, SurvivesDamagedImages) {
    for (const char* text : {R"({"config":3})", R"({"config":{"Cmd":[1]}})", R"({"config":{"Env":{}}})", R"({})"}) {
        ContainerSpec spec = parse(R"({"Image":"x"})");
        EXPECT_THROW(apply_image(spec, Json::parse(text)), ApiError) << text;
    }
}

TEST(ContainerSpec, ReadsSignals) {
    EXPECT_EQ(parse_signal("SIGTERM"), 15);
    EXPECT_EQ(parse_signal("term"), 15);
    EXPECT_EQ(parse_signal("9"), 9);
    EXPECT_EQ(parse_signal("WINCH"), 28);
    EXPECT_EQ(parse_signal("SYS"), 31);
    EXPECT_EQ(parse_signal("SIGRTMIN"), 34);
    EXPECT_EQ(parse_signal("SIGRTMIN+3"), 37);
    EXPECT_EQ(parse_signal("rtmax-1"), 63);
    EXPECT_EQ(parse_signal("SIGRTMAX"), 64);
    for (const char* text : {"", "SIG", "0", "65", "-1", "FOO", "TERMX", "RTMIN-1", "RTMIN+31", "RTMAX-31", "RTMAX+1", "RTMIN+", "RTMIN+x", "RTMIN+99999999999999999999"})
        EXPECT_THROW(parse_signal(text), ApiError) << text;
}

TEST(ContainerSpec, KnowsTheSignalThatStopsAnImage) {
    ContainerSpec spec = parse(R"({"Image":"x","Cmd":["a"]})");
    apply_image(spec, Json::parse(R"({"config":{"StopSignal":"SIGRTMIN+3"}})"));
    EXPECT_EQ(spec.stop_signal, "SIGRTMIN+3");
    ContainerSpec other = parse(R"({"Image":"x","Cmd":["a"]})");
    EXPECT_THROW(apply_image(other, Json::parse(R"({"config":{"StopSignal":"SIGNOPE"}})")), ApiError);
}

TEST(ContainerSpec, LimitsItsLogToMemory) {
    EXPECT_EQ(parse(with_host(R"({"LogConfig":{"Type":"none"}})")).log_limit, 0U);
    EXPECT_EQ(parse(with_host(R"({"LogConfig":{"Type":"json-file","Config":{"max-size":"10k"}}})")).log_limit, 10240U);
    const std::size_t most = parse(with_host("{}")).log_limit;
    EXPECT_EQ(parse(with_host(R"({"LogConfig":{"Type":"json-file","Config":{"max-size":"900g"}}})")).log_limit, most);
    EXPECT_EQ(parse(with_host(R"({"LogConfig":{"Type":"json-file","Config":{"max-size":"18446744073709551615g"}}})"))
                  .log_limit,
              most);
}

} // namespace
} // namespace engine
