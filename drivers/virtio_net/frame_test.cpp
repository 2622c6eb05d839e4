// A malicious network card. The attack has its teeth: lib/base/teeth_testing.hpp.
#include "drivers/virtio_net/frame.hpp"

#include "lib/base/teeth_testing.hpp"

#include <vector>

namespace virtio_net {
namespace {

constexpr std::uint32_t buffer_bytes = 2048;

TEST(Frame, LiesBehindTheHeader) {
    const std::vector<std::byte> buffer(buffer_bytes);
    for (const std::uint32_t length : {smallest_frame, 60u, largest_frame}) {
        const auto frame = frame_in(buffer, header_bytes + length);
        EXPECT_EQ(frame.data(), buffer.data() + header_bytes);
        EXPECT_EQ(frame.size(), length);
    }
}

TEST(HostileCard, LengthsThatNoFrameHas) {
    for (const std::uint32_t length : {1u, header_bytes - 1, header_bytes + 1, header_bytes + smallest_frame - 1, header_bytes + largest_frame + 1, buffer_bytes}) {
        const std::vector<std::byte> buffer(buffer_bytes);
        EXPECT_TRUE(frame_in(buffer, length).empty()) << length;
        if (length > header_bytes)
            base::expect_teeth(base::Weakness::frame_length, [&] { return frame_in(buffer, length).empty(); });
    }
    EXPECT_TRUE(frame_in({}, 0).empty());
}

TEST(HostileCard, HeaderIsNotBelieved) {
    // Every flag, and sizes that reach far out of the frame.
    const std::vector<std::byte> buffer(buffer_bytes, std::byte{0xff});
    EXPECT_EQ(frame_in(buffer, header_bytes + 60).size(), 60u);
}

TEST(HostileCard, AddressOfNoStation) {
    EXPECT_EQ(station_address(0x56'34'12'00'54'52), 0x56'34'12'00'54'52u);
    for (const std::uint64_t lie : {std::uint64_t{0}, std::uint64_t{0xffff'ffff'ffff}, std::uint64_t{0x01'00'5e'00'00'01} | 1, std::uint64_t{1}}) {
        const std::uint64_t made_up = station_address(lie);
        EXPECT_NE(made_up, lie);
        EXPECT_EQ(made_up & 3, 2u) << "one station's, locally administered";
        EXPECT_LT(made_up, std::uint64_t{1} << 48);
    }
}

} // namespace
} // namespace virtio_net
