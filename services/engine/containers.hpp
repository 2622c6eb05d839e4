// All containers of the node and their life cycle.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "services/engine/container.hpp"
#include "services/engine/event_bus.hpp"

namespace engine {

class Containers {
public:
    Containers(asio::io_context& io, asio::thread_pool& workers, RuntimeClient& runtime, images::ImageStore& images,
               EventBus& events)
        : io_(io), workers_(workers), runtime_(runtime), images_(images), events_(events), start_over_(io) {}

    // Creates the container and its sandbox. An empty name is replaced by a made-up one. Throws ApiError.
    Task<ContainerPointer> create(ContainerSpec spec, std::string name);
    // By id, name, or an unambiguous beginning of an id. Throws ApiError 404.
    ContainerPointer find(const std::string& reference) const;
    ContainerPointer find_or_null(const std::string& reference) const;
    // The newest first.
    std::vector<ContainerPointer> list() const;
    std::vector<std::string> image_ids() const;

    // False where it runs already. Throws ApiError 400 with the text of an OCI runtime where the program cannot be
    // executed.
    Task<bool> start(ContainerPointer container);
    // False where it does not run. `timeout` in seconds; negative: without limit.
    Task<bool> stop(ContainerPointer container, int signal, int timeout);
    Task<> kill(ContainerPointer container, int signal);
    Task<> remove(ContainerPointer container, bool force);
    void rename(Container& container, std::string name);
    Task<> resize(ContainerPointer container, std::uint16_t rows, std::uint16_t columns);
    // Changes limits by the body of an update; of a program that runs too. Throws ApiError.
    Task<std::vector<std::string>> update(ContainerPointer container, Json changes);

    void on_event(const abi::runtime::EventRecord& event);
    // The runtime's session broke: finds out which sandboxes are left.
    void on_runtime_lost();

    void publish(const Container& container, const std::string& action,
                 std::map<std::string, std::string> attributes = {});

private:
    std::string claim_name(std::string name, const std::string& id);
    Task<> check_limits(const ProcessorLimits& limits);
    Task<> make_sandbox(Container& container);
    Task<> start_program(ContainerPointer container);
    Task<int> try_program(ContainerPointer container);
    Task<> end_start(ContainerPointer container);
    Task<> free_sandbox(Container& container);
    Task<> free_broken(ContainerPointer container);
    Task<> finish_run(ContainerPointer container, int wait_status);
    Task<> restart_later(ContainerPointer container);
    Task<> check_sandboxes();
    Task<bool> wait_for_exit(ContainerPointer container, std::uint64_t exits, int seconds);
    void begin_finish(const ContainerPointer& container, int wait_status);
    bool restart_wanted(const Container& container) const;

    asio::io_context& io_;
    asio::thread_pool& workers_;
    RuntimeClient& runtime_;
    images::ImageStore& images_;
    EventBus& events_;
    std::map<std::string, ContainerPointer> containers_; // by id
    std::map<std::string, std::string> names_;           // name → id; also of containers that are being made
    std::map<std::uint64_t, std::weak_ptr<Container>> by_sandbox_;
    std::uint16_t next_port_ = 49153;
    unsigned starts_ = 0; // that wait for their sandboxes
    Signal start_over_;
};

// Reads one stream of a run until its end, into the log and to all that are attached.
Task<> pump_output(ContainerPointer container, std::shared_ptr<Run> run, Run::Stream& stream, OutputStream kind);

// What a client is told about a failure of the runtime.
[[noreturn]] void throw_runtime_failure(const services::ChannelError& error, const std::string& what);

} // namespace engine
