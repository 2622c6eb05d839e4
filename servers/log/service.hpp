// The two endpoints of the log: `programs` gives a badge to each native program of the node, `sandboxes` one to each sandbox. Who may name sandboxes, so, can write in no
// program's name.
#pragma once
#include "abi/log_server.hpp"
#include "servers/log/audit_keeper.hpp"
#include "servers/log/journal.hpp"

namespace logging {

// The clock of the journal.
using Now = std::uint64_t (*)();

// Answers native programs, and the reader.
class Programs final : public native::log::Server {
public:
    // `reader`: the badge that reads; 0 for none. Journal and keeper are borrowed.
    Programs(Journal& journal, AuditKeeper& audit, Now now, std::uint64_t reader) : journal_(journal), audit_(audit), now_(now), reader_(reader) {}
    base::Result<native::log::WriteReply> write(std::uint64_t badge, const native::log::WriteRequest& request) override;
    base::Result<native::log::ReadReply> read(std::uint64_t badge, const native::log::ReadRequest& request) override;
    base::Result<native::log::SealReply> seal(std::uint64_t badge, const native::log::SealRequest& request) override;
    base::Result<native::log::StoreReply> store(std::uint64_t badge, const native::log::StoreRequest& request) override;
    base::Result<native::log::AuditStateReply> audit_state(std::uint64_t badge, const native::log::AuditStateRequest& request) override;
    void discard(abi::Handle handle) override;

private:
    bool reads(std::uint64_t badge) const { return badge != 0 && badge == reader_; }

    Journal& journal_;
    AuditKeeper& audit_;
    Now now_;
    std::uint64_t reader_;
};

// Answers personalities: the badge is the sandbox' number.
class Sandboxes final : public native::log::Server {
public:
    Sandboxes(Journal& journal, Now now) : journal_(journal), now_(now) {}
    base::Result<native::log::WriteReply> write(std::uint64_t badge, const native::log::WriteRequest& request) override;
    // Refused: denied.
    base::Result<native::log::ReadReply> read(std::uint64_t badge, const native::log::ReadRequest& request) override;
    base::Result<native::log::SealReply> seal(std::uint64_t badge, const native::log::SealRequest& request) override;
    base::Result<native::log::StoreReply> store(std::uint64_t badge, const native::log::StoreRequest& request) override;
    base::Result<native::log::AuditStateReply> audit_state(std::uint64_t badge, const native::log::AuditStateRequest& request) override;
    void discard(abi::Handle handle) override;

private:
    Journal& journal_;
    Now now_;
};

} // namespace logging
