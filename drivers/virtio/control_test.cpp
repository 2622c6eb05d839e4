// A malicious device behind the registers. Each attack has its teeth: lib/base/teeth_testing.hpp.
#include "drivers/virtio/control.hpp"

#include "lib/base/teeth_testing.hpp"

#include <functional>
#include <map>
#include <random>
#include <vector>

namespace virtio {
namespace {

using base::Weakness;

// An honest device, until `answer` says something else.
class Device {
public:
    std::uint64_t features = feature_version_1 | 0x20;
    std::uint16_t queue_sizes[3] = {256, 64, 8}, notify_offset = 3;
    // May change what a register of the common configuration reads as.
    std::function<std::uint32_t(std::uint64_t where, std::uint32_t honest)> answer;

    std::map<std::uint64_t, std::uint32_t> registers; // as written

    std::vector<std::uint64_t> notified;
    unsigned reads = 0;

    std::uint32_t read(std::uint64_t where) {
        if (++reads > 3 * Control<int>::reset_patience)
            throw base::Endless();
        const std::uint32_t value = honest(where);
        return answer ? answer(where, value) : value;
    }

private:
    std::uint32_t honest(std::uint64_t where) {
        const std::uint32_t queue = registers[field::queue_select];
        switch (where) {
        case field::device_feature: return registers[field::device_feature_select] < 2 ? static_cast<std::uint32_t>(features >> 32 * registers[field::device_feature_select]) : 0;
        case field::queue_size: return queue < 3 ? queue_sizes[queue] : 0;
        case field::queue_notify_offset: return notify_offset;
        default: return registers[where];
        }
    }
};

enum class Part { common, notify, configuration };

// Steps out of a structure are findings.
struct Window {
    Device* device = nullptr;
    Part part = Part::common;
    std::uint64_t bytes = 0;

    std::uint64_t length() const { return bytes; }
    template <class T> T read(std::uint64_t where) const {
        within(where, sizeof(T));
        return part == Part::common ? static_cast<T>(device->read(where)) : static_cast<T>(0x40 + where);
    }
    template <class T> void write(std::uint64_t where, T value) const {
        within(where, sizeof(T));
        if (part == Part::common)
            device->registers[where] = value;
        else
            device->notified.push_back(where);
    }
    void within(std::uint64_t where, std::uint64_t width) const { outside |= where > bytes || width > bytes - where; }
    static inline bool outside = false;
};

constexpr std::uint64_t notify_bytes = 4096, configuration_bytes = 6;
constexpr std::uint32_t multiplier = 4;

Control<Window> control_of(Device& device, std::uint32_t notify_multiplier = multiplier) {
    Window::outside = false;
    return {Window{&device, Part::common, common_bytes}, Window{&device, Part::notify, notify_bytes}, notify_multiplier,
            Window{&device, Part::configuration, configuration_bytes}};
}

template <class T> base::Error error_of(const base::Result<T>& result) { return result ? base::Error{} : result.error(); }

TEST(Control, AnHonestDeviceIsSetUp) {
    Device device;
    auto control = control_of(device);
    ASSERT_TRUE(control.reset());
    control.say_driver();
    const auto features = control.negotiate(0x21);
    ASSERT_TRUE(features);
    EXPECT_EQ(*features, feature_version_1 | 0x20);
    EXPECT_EQ(device.registers[field::driver_feature], 1u) << "the upper half is written last";
    EXPECT_EQ(*control.queue_size(1), 64);
    EXPECT_TRUE(control.set_queue(1, 64, {0x1'0000'1000, 0x1'0000'2000, 0x1'0000'3000}, 0));
    EXPECT_EQ(device.registers[field::queue_device + 4], 1u);
    EXPECT_EQ(device.registers[field::queue_device], 0x3000u);
    EXPECT_EQ(device.registers[field::queue_enable], 1u);
    control.driver_ok();
    EXPECT_EQ(device.registers[field::device_status], 15u);
    control.notify(1);
    EXPECT_EQ(device.notified, std::vector<std::uint64_t>{12});
    EXPECT_EQ(control.config8(5), 0x45);
    EXPECT_FALSE(Window::outside);
}

TEST(HostileDevice, ResetWithoutEnd) {
    base::expect_teeth(Weakness::device_patience, [] {
        Device device;
        device.answer = [](std::uint64_t where, std::uint32_t honest) { return where == field::device_status ? 0xffu : honest; };
        const auto control = control_of(device);
        return base::ends([&] { EXPECT_EQ(error_of(control.reset()), base::Error::io); });
    });
}

TEST(HostileDevice, NoVersion1) {
    base::expect_teeth(Weakness::device_version, [] {
        Device device;
        device.features = 0xffff'ffff;
        return error_of(control_of(device).negotiate(0x20)) == base::Error::not_supported;
    });
}

TEST(HostileDevice, NoAgreement) {
    base::expect_teeth(Weakness::device_features, [] {
        Device device;
        device.answer = [](std::uint64_t where, std::uint32_t honest) { return where == field::device_status ? honest & ~std::uint32_t{status::features_ok} : honest; };
        return error_of(control_of(device).negotiate(0x20)) == base::Error::not_supported;
    });
}

// Nothing is taken that was not asked for, whatever is offered, and each half is asked for once.
TEST(HostileDevice, EveryFeature) {
    Device device;
    device.features = UINT64_MAX;
    unsigned asked = 0;
    device.answer = [&](std::uint64_t where, std::uint32_t honest) {
        asked += where == field::device_feature;
        return honest;
    };
    EXPECT_EQ(*control_of(device).negotiate(0x20), feature_version_1 | 0x20);
    EXPECT_EQ(asked, 2u);
}

TEST(HostileDevice, QueueSizes) {
    for (const unsigned size : {0u, 3u, 100u, 255u, 0x7fffu, 0xffffu})
        base::expect_teeth(Weakness::queue_shape, [size] {
            Device device;
            device.queue_sizes[0] = static_cast<std::uint16_t>(size);
            return error_of(control_of(device).queue_size(0)) == base::Error::broken;
        });
    Device device;
    device.queue_sizes[0] = 0x8000;
    EXPECT_EQ(*control_of(device).queue_size(0), 0x8000) << "more than a driver wants is no lie";
}

TEST(HostileDevice, NotificationOutsideOfItsStructure) {
    for (const unsigned offset : {1024u, 1025u, 0xffffu})
        base::expect_teeth(Weakness::notify_place, [offset] {
            Device device;
            device.notify_offset = static_cast<std::uint16_t>(offset);
            auto control = control_of(device);
            if (control.set_queue(0, 8, {}, 0))
                control.notify(0);
            return !Window::outside && device.registers[field::queue_enable] == 0;
        });
    for (const std::uint32_t by : {0x1000u, 0x8000'0000u, UINT32_MAX})
        base::expect_teeth(Weakness::notify_place, [by] {
            Device device;
            auto control = control_of(device, by);
            if (control.set_queue(0, 8, {}, 0))
                control.notify(0);
            return !Window::outside;
        });
}

// What was checked is what is used: the device is not asked a second time.
TEST(HostileDevice, NotificationThatMoves) {
    Device device;
    auto control = control_of(device);
    ASSERT_TRUE(control.set_queue(2, 8, {}, 0));
    device.notify_offset = 0xffff;
    const unsigned before = device.reads;
    for (unsigned i = 0; i < 10; ++i)
        control.notify(2);
    EXPECT_EQ(device.reads, before);
    EXPECT_EQ(device.notified, std::vector<std::uint64_t>(10, 12));
    EXPECT_FALSE(Window::outside);
}

TEST(HostileDevice, VectorThatIsNotTaken) {
    Device device;
    device.answer = [](std::uint64_t where, std::uint32_t honest) { return where == field::queue_vector ? no_vector : honest; };
    EXPECT_EQ(error_of(control_of(device).set_queue(0, 8, {}, 0)), base::Error::io);
    EXPECT_TRUE(control_of(device).set_queue(0, 8, {}, no_vector));
}

TEST(HostileDevice, ShortConfiguration) {
    base::expect_teeth(Weakness::config_place, [] {
        Device device;
        const auto control = control_of(device);
        for (const std::uint64_t offset : {configuration_bytes, std::uint64_t{0x1000}, UINT64_MAX})
            (void)control.config8(offset);
        return !Window::outside;
    });
}

TEST(HostileDevice, StructuresOutsideOfTheirBar) {
    struct Case {
        std::uint64_t offset, length, bar;
    };
    EXPECT_TRUE(structure_lies_within(0x1000, 56, 0x2000, 56, 4));
    EXPECT_TRUE(structure_lies_within(0x1fc8, 56, 0x2000, 56, 4));
    for (const Case& lie : {Case{0x1fcc, 56, 0x2000}, {0x2000, 56, 0x2000}, {0, 55, 0x2000}, {0, 0x2001, 0x2000}, {0x1002, 56, 0x2000}, {UINT64_MAX - 3, 56, 0x2000},
                            {4, UINT64_MAX, 0x2000}, {0xffff'fffc, 0xffff'ffff, 0x2000}, {0, 56, 0}})
        base::expect_teeth(Weakness::structure_place, [&lie] { return !structure_lies_within(lie.offset, lie.length, lie.bar, 56, 4); });
}

// Every register answers at random: the set-up ends, and no access leaves its structure.
TEST(ControlCampaign, NoAnswerDoesHarm) {
    unsigned enabled = 0;
    for (unsigned seed = 1; seed <= 20'000; ++seed) {
        std::mt19937_64 random(seed);
        Device device;
        const unsigned malice = 1 + static_cast<unsigned>(random() % 16);
        device.answer = [&](std::uint64_t where, std::uint32_t honest) {
            return random() % malice == 0 && where != field::device_status ? static_cast<std::uint32_t>(random()) : honest;
        };
        auto control = control_of(device, random() % 2 == 0 ? multiplier : static_cast<std::uint32_t>(random()));
        ASSERT_TRUE(control.reset());
        control.say_driver();
        if (!control.negotiate(random()))
            continue;
        for (std::uint16_t queue = 0; queue < 6; ++queue) {
            const auto size = control.queue_size(queue);
            if (size && control.set_queue(queue, std::min<std::uint16_t>(*size, 256), {}, 0)) {
                ++enabled;
                control.notify(queue);
            }
            (void)control.config8(random() % 16);
        }
        ASSERT_FALSE(Window::outside) << seed;
        ASSERT_LT(device.reads, 100u) << seed;
    }
    EXPECT_GT(enabled, 1000u) << "the campaign does not get far";
}

} // namespace
} // namespace virtio
