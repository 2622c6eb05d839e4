// A container: what it is to be, its sandbox, and its current or last run. Belongs to the loop's thread.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "services/engine/async.hpp"
#include "services/engine/container_log.hpp"
#include "services/engine/container_spec.hpp"
#include "services/engine/output.hpp"
#include "services/engine/runtime_client.hpp"
#include "services/images/image_store.hpp"

namespace engine {

enum class State { created, running, restarting, exited, removing };
const char* state_name(State state);

// The streams of one run of the program. Standard output and error are read by coroutines that hold the run.
struct Run {
    using Stream = asio::posix::stream_descriptor;
    explicit Run(asio::io_context& io) : input(io), output(io), error(io) {}
    Stream input; // with a terminal: both ways, and the other two are closed
    Stream output;
    Stream error;
    int open_outputs = 0;
    bool input_open = false;
};

struct Container {
    Container(asio::io_context& io, std::string id, std::string name, ContainerSpec spec, images::Image image)
        : id(std::move(id)), name(std::move(name)), spec(std::move(spec)), image(std::move(image)),
          log(this->spec.log_limit), changed(io), lifecycle(io), asked(io) {}

    const std::string id; // 64 hexadecimal digits
    std::string name;     // without the slash
    ContainerSpec spec; // `processor` changes by an update; the rest never
    const images::Image image;
    std::int64_t created = 0; // nanoseconds since 1970, as the next two
    std::int64_t started = 0;
    std::int64_t finished = 0;

    State state = State::created;
    bool starting = false;
    bool start_unwanted = false; // the container is to be removed: the start under way ends, and none begins
    bool broken = false;         // the sandbox crashed, and is not freed yet
    bool removed = false;    // gone from the list; only those who waited still see it
    bool stop_asked = false; // by a client: no restart policy applies
    bool no_memory = false;  // the last run was ended for memory
    int exit_code = 0;
    std::string error;       // why the last run did not start or broke
    std::uint64_t exits = 0; // runs that ended, for those who wait for the next
    std::uint64_t restarts = 0;
    std::optional<int> early_exit; // wait status of a run that ended before its start was answered

    Sandbox sandbox;
    std::vector<PortBinding> published; // with the node ports that were chosen
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;

    std::shared_ptr<Run> run;
    std::vector<std::shared_ptr<Subscriber>> subscribers;
    ContainerLog log;
    Signal changed;       // any of the above
    AsyncMutex lifecycle; // held by start and remove, and by what frees a broken sandbox
    AsyncMutex asked;     // held by who waits for what the sandbox tells of itself

    bool running() const { return state == State::running; }
    std::string short_id() const { return id.substr(0, 12); }
    std::string hostname() const { return spec.hostname.empty() ? short_id() : spec.hostname; }
};

using ContainerPointer = std::shared_ptr<Container>;

} // namespace engine
