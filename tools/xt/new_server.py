"""Makes a native server NAME: interface, program, and a scenario test that fails until the server does its work."""

import os
import re

from . import paths
from .shell import Failure

INTERFACE = """# What the server {name} offers.
interface {name}
call 1 twice
  doc Twice the number.
  in  number: u64
  out result: u64
  errors overflow
"""

CMAKE = """if(THEMELIOS_PART STREQUAL x86_64)
    themelios_native_program({name} main.cpp {name}.cpp)
elseif(THEMELIOS_PART STREQUAL host)
    themelios_host_test({name}_test {name}.cpp {name}_test.cpp)
endif()
"""

HEADER = """// The server {name}: what it does with each message of abi/{name}.abi.
#pragma once
#include "abi/{name}_server.hpp"

namespace {name} {{

class Service final : public native::{name}::Server {{
public:
    base::Result<native::{name}::TwiceReply> twice(std::uint64_t badge, const native::{name}::TwiceRequest& request) override;
    void discard(abi::Handle handle) override;
}};

}} // namespace {name}
"""

SOURCE = """#include "servers/{name}/{name}.hpp"

#include "native/kernel_stubs.hpp"

namespace {name} {{

base::Result<native::{name}::TwiceReply> Service::twice(std::uint64_t badge, const native::{name}::TwiceRequest& request) {{
    return base::fail(base::Error::not_supported);
}}

// No message of this interface carries capabilities, so what comes with one is closed at once.
void Service::discard(abi::Handle handle) {{ (void)native::call::handle_close(handle); }}

}} // namespace {name}
"""

MAIN = """// Serves the endpoint `{name}`, one request after the other.
#include "lib/native/ipc.hpp"
#include "lib/native/start.hpp"
#include "servers/{name}/{name}.hpp"

int native_main() {{
    const abi::Handle endpoint = native::granted("{name}");
    if (endpoint == abi::no_handle)
        native::panic("no endpoint was granted");
    {name}::Service service;
    native::Message message;
    auto incoming = native::receive(endpoint, message);
    while (incoming) {{
        native::{name}::serve(service, incoming->badge, message);
        incoming = native::answer_and_receive(incoming->reply, endpoint, message);
    }}
    return static_cast<int>(incoming.error());
}}
"""

TEST = """// A client and the server, with the messages between them as they travel; the kernel is left out.
#include "servers/{name}/{name}.hpp"

#include "abi/{name}_client.hpp"
#include "native/kernel_stubs.hpp"

#include <gtest/gtest.h>

namespace {{

unsigned closed;

struct Direct {{
    {name}::Service* service;
    base::Result<void> call(native::Message& message, abi::Deadline) {{
        native::{name}::serve(*service, 1, message);
        return {{}};
    }}
}};

TEST({title}, DoublesANumber) {{
    {name}::Service service;
    native::{name}::Client<Direct> client({{&service}});
    EXPECT_EQ(client.twice({{.number = 21}})->result, 42u);
    EXPECT_EQ(client.twice({{.number = UINT64_MAX}}).error(), base::Error::overflow);
}}

}} // namespace

// The kernel of this test: it only counts closed handles.
native::call::RawResult native::call::raw(abi::KernelCall, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t) {{
    ++closed;
    return {{0, 0}};
}}
"""

NAME = re.compile(r"[a-z][a-z0-9_]{1,30}$")


def add(parser):
    parser.add_argument("name", help="lower case, such as greet")


def files(name):
    values = {"name": name, "title": "".join(part.capitalize() for part in name.split("_"))}
    return {
        f"abi/{name}.abi": INTERFACE.format(**values),
        f"servers/{name}/CMakeLists.txt": CMAKE.format(**values),
        f"servers/{name}/{name}.hpp": HEADER.format(**values),
        f"servers/{name}/{name}.cpp": SOURCE.format(**values),
        f"servers/{name}/main.cpp": MAIN.format(**values),
        f"servers/{name}/{name}_test.cpp": TEST.format(**values),
    }


def run(arguments):
    name = arguments.name
    if not NAME.match(name):
        raise Failure(f"'{name}' is no name: lower-case letters, digits and _")
    made = files(name)
    for path in made:
        if os.path.exists(os.path.join(paths.TOP, path)):
            raise Failure(f"{path} is there already")
    for path, text in made.items():
        full = os.path.join(paths.TOP, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)
        print("made " + path)
    _register(name)
    print(f"Next:  ./xt test host/{name}_test     (fails)\n       servers/{name}/{name}.cpp          (do the work)\n"
          f"       images/*.image                     (start it, and give it what it needs)")


def _register(name):
    """Adds the folder to the list in servers/CMakeLists.txt."""
    path = os.path.join(paths.TOP, "servers", "CMakeLists.txt")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        return
    changed = re.sub(r"(foreach\(folder IN ITEMS [^)]*)\)", rf"\1 {name})", text, count=1)
    if changed == text:
        raise Failure(f"servers/CMakeLists.txt has no list of folders: add_subdirectory({name}) is left to you")
    with open(path, "w", encoding="utf-8") as file:
        file.write(changed)
