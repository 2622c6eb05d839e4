"""Attacks that must fail, and their teeth: in the twin image, where the protection is left out, the same attack succeeds."""

import contextlib
import glob
import os
import re
import subprocess
import time

from xt import api, build, docker, paths, root_image

MARKER = b"ThemeliOS twin: may be weakened"
IMAGE = "test-attacks"
TWIN_ROOT = os.path.join(paths.BUILD, "root-twin.erofs")
# Weaknesses of lib/base/weaken.hpp, each with an attack that it lets through.
NATIVE_TEETH = (
    ("handle_generation", "a_forged_generation_names_nothing"),
    ("handle_rights", "a_right_that_was_taken_is_not_had"),
    ("badge_change", "a_badge_is_not_changed_by_its_holder"),
    ("restricted_bit", "a_guest_makes_no_native_call_from_native_code"),
    ("fault_code", "a_fault_does_not_tell_what_the_kernel_has_mapped"),
    ("guest_execute", "native_code_does_not_run_in_the_guest_half"),
    ("native_call_place", "a_native_call_from_the_guest_half_ends_the_process"),
    ("native_pointer", "native_pointers_lie_in_the_personality_half"),
    ("page_pin", "a_threads_page_outlives_its_mapping"),
    ("reply_last", "a_call_is_not_answered_before_its_message_is_there"),
    ("seal_grace", "no_copy_ends_after_a_seal"),
    ("device_pin", "memory_of_a_device_goes_to_nobody"),
    ("alias_execute", "no_memory_is_written_and_executed"),
    ("alias_execute", "no_private_code_is_written_by_others"),
    ("futex_space", "a_neighbour_is_not_woken_by_the_address_of_its_word"),
    ("futex_space", "a_neighbour_is_not_woken_at_a_page_that_both_read"),
    ("lease_generation", "a_revoked_handle_reaches_nobody"),
    ("revoke_grace", "no_call_goes_on_after_the_revocation"),
    ("revoke_mapping", "a_revoked_page_is_written_by_nobody"),
    ("page_shoot_down", "a_revoked_page_is_written_by_nobody"),
    ("revoke_wait", "a_revoked_call_ends_where_its_server_does_not_answer"),
    ("reply_disarm", "a_late_answer_is_no_other_calls_answer"),
    ("revoke_interrupt", "a_revoked_interrupt_wakes_its_new_owner_alone"),
    ("frame_zero", "memory_comes_without_what_another_left_in_it"),
    ("thread_registers", "a_new_thread_has_no_registers_of_another"),
    ("vector_registers", "native_code_reads_no_vector_registers_of_another"),
    ("processor_tables", "user_mode_does_not_learn_where_the_processors_tables_are"),
    ("guest_privilege", "a_guest_gets_no_flags_of_privilege"),
    ("fetch_once", "a_guest_that_is_moved_under_the_check_stays_in_its_half"),
    ("derive_rights", "no_two_operations_give_back_a_right"),
    ("ring_rights", "a_ring_is_not_taken_from_its_maker"),
    ("ring_commit", "a_payer_without_memory_ends_nobody_at_its_ring"),
    ("slice_bounds", "a_range_of_ports_does_not_grow_by_a_wrap"),
    ("budget_charge", "a_limit_is_not_got_round_by_giving_up_the_processor"),
    ("handle_generation", "a_closed_handle_reaches_nobody_whose_slot_it_was"),
    ("device_pin", "a_device_writes_to_nobody_after_the_revocation"),
)


# A lost personality has more than one way to its neighbour where rights are not looked at.
FUZZ_TEETH = ("handle_rights", "a_lost_personality_harms_nobody_else")


# A device that copies where it is told to: QEMU's edu.
COPYING_DEVICE = ("-device", "edu,dma_mask=0xffffffffff")
# Attacks that stop the node where the protection is missing, or may: no verdict comes. With the image, and the processors that they take.
STOPPING_TEETH = (
    ("spin_serves", "threads_that_unmap_at_once_come_through", "test-attacks", 4),
    ("turn_asleep", "a_better_thread_waits_for_a_range_asleep", "test-native-calls", 1),
    ("page_shoot_down", "no_processor_uses_a_page_that_was_replaced", "test-native-calls", 4),
)
# Who has not ended its attack by then, in seconds, does not: it takes less than one where it fails.
HANGS = 20
# How often an attack is tried in the twin before it is said to test nothing.
ATTEMPTS = 3
# What is measured by the guest's clock where one instruction is a nanosecond of it.
ICOUNT = ("-icount", "shift=0,sleep=off")
UNBOUNDED = (
    ("unbounded_step", "bounded_ranges_of_pages", "move pages"),
    ("unbounded_step", "bounded_ranges_of_pages", "create a contiguous Memory"),
    ("unbounded_step", "bounded_large_copies", "read a hole"),
    ("unbounded_step", "bounded_no_place_for_a_thread", "create a thread without a place"),
    ("chain_depth", "bounded_deep_chains", "populate below many quotas"),
)


def _names():
    with open(os.path.join(paths.TOP, "lib", "base", "weaken.hpp"), encoding="utf-8") as file:
        text = file.read()
    return re.findall(r'"([a-z_]+)"\}', text)


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _release_is_whole():
    """No marker and no weakness' name in anything that a node boots."""
    for path in (paths.DIRECT, paths.ROOT_IMAGE):
        content = _read(path)
        found = [word for word in [MARKER, *(name.encode() for name in _names())] if word in content]
        assert not found, f"{path} holds {found}"
    programs = [path for path in glob.glob(os.path.join(paths.NATIVE, "bin", "*")) if os.path.isfile(path)]
    assert len(programs) > 10
    assert not [path for path in programs if MARKER in _read(path)]


def _twin_is_weak():
    """The search finds what it looks for where it is."""
    names = [name.encode() for name in _names()]
    assert len(names) == len(set(names)) > len({weakness for weakness, _ in NATIVE_TEETH})
    assert {weakness for weakness, _ in NATIVE_TEETH} <= {name.decode() for name in names}
    for program in ("kernel", "switch", "personality"):
        content = _read(os.path.join(paths.TWIN, "bin", program))
        missing = [word for word in [MARKER, *names] if word not in content]
        assert not missing, f"the twin's {program} lacks {missing}"


def _result(text):
    found = re.search(r"native tests: (\d+) passed, (\d+) failed", text)
    assert found, "no result; the serial port's last lines:\n" + "\n".join(text.splitlines()[-20:])
    return int(found[1]), int(found[2])


def _fails(context, folder, cpus):
    name = os.path.basename(folder)
    code, text = context.boot(f"attacks-{name}-{cpus}", kernel=os.path.join(folder, "bin", IMAGE), cpus=cpus, extra=COPYING_DEVICE, timeout=900)
    passed, failed = _result(text)
    lines = "\n".join(line for line in text.splitlines() if "FAIL" in line or line.startswith("  "))
    assert code == 33 and failed == 0 and passed >= len(NATIVE_TEETH), lines


def _soon(weakness, attack, succeeds):
    """An attack that has to meet a moment may pass it by where this machine lets processors of the guest wait for each other; it does not do so each time."""
    for _ in range(ATTEMPTS):
        if succeeds():
            return
    raise AssertionError(f"{attack} still holds without {weakness}, {ATTEMPTS} times: it tests nothing")


def _succeeds(context, weakness, attack):
    def succeeds():
        code, text = context.boot(f"attacks-{weakness}-{attack}", append=f"weaken={weakness} only={attack}", kernel=os.path.join(paths.TWIN, "bin", IMAGE), extra=COPYING_DEVICE)
        return code == 35 and _result(text) == (0, 1) and f"FAIL {attack}" in text
    _soon(weakness, attack, succeeds)


def _harms(context, weakness, attack, image=IMAGE, cpus=2):
    """Who may do anything may also stop the test itself: then there is no verdict, and no "ok" either."""
    def succeeds():
        _, text = context.boot(f"attacks-harm-{weakness}", append=f"weaken={weakness} only={attack}", kernel=os.path.join(paths.TWIN, "bin", image), cpus=cpus,
                               until=f"run {attack}", patience=HANGS)
        return f"run {attack}" in text and f"ok {attack}" not in text
    _soon(weakness, attack, succeeds)


def _keeps_others_waiting(context, weakness, test, operation):
    """The kernel's operations are measured where they are not bounded: then they are too long."""
    _, text = context.boot(f"attacks-{weakness}-{test}", append=f"weaken={weakness} only={test} bounded_cpus=1", cpus=1, timeout=900,
                           kernel=os.path.join(paths.TWIN, "bin", "test-native-calls"), extra=ICOUNT, accel="tcg,thread=single")
    assert _result(text) == (0, 1) and re.search(rf"bounded\.hpp:\d+: {operation}", text), f"{operation}: short without {weakness}, so the measure tests nothing"


def _calls_notice(context, weakness, test):
    """The kernel's own test from user mode fails where the line that it is about is left out."""
    def succeeds():
        _, text = context.boot(f"attacks-{weakness}-{test}", append=f"weaken={weakness} only={test}", kernel=os.path.join(paths.TWIN, "bin", "test-native-calls"))
        return _result(text) == (0, 1) and f"FAIL {test}" in text
    _soon(weakness, test, succeeds)


def _server_pays(context):
    """Of the processor's time that a server spends for a caller, as the kernel's own test measures it."""
    test = "a_caller_pays_for_what_its_server_does_in_its_turn"
    _, text = context.boot("attacks-lender-charge", append=f"weaken=lender_charge only={test}", kernel=os.path.join(paths.TWIN, "bin", "test-native-calls"))
    assert _result(text) == (0, 1) and f"FAIL {test}" in text, "the caller pays without lender_charge: the measure tests nothing"


def _kernel_test_notices(context, weakness):
    test = "user_pages_are_not_run_and_not_read_by_accident"
    _, text = context.boot(f"attacks-{weakness}", append=f"weaken={weakness} test=kernel", kernel=os.path.join(paths.TWIN, "bin", "test-native-basics"))
    assert f"FAIL {test}" in text, f"{test} holds without {weakness}: it tests nothing"


def _machine_resets(context, weakness, attack):
    """Without a table that it could walk to its own handlers, a processor faults three times. Who only hangs does not get here."""
    code, text = context.boot(f"attacks-{weakness}", append=f"weaken={weakness} only={attack}", kernel=os.path.join(paths.TWIN, "bin", IMAGE))
    assert code == 0 and f"run {attack}" in text and f"ok {attack}" not in text, f"{attack} still holds without {weakness}: it tests nothing"


def _kernel_dies(context, weakness, attack):
    _, text = context.boot(f"attacks-{weakness}", append=f"weaken={weakness} only={attack}", kernel=os.path.join(paths.TWIN, "bin", IMAGE), until="PANIC: exception 8")
    assert "PANIC: exception 8" in text, f"{attack} still holds without {weakness}: it tests nothing"


# --- the log server

LOG_FOLDER = os.path.join(paths.TOP, "tests", "attacks", "log")
FORGED = re.compile(r"^victim: .*forged", re.M)


def _log_boot(context, name, image, folder, until, append=""):
    """Boots a node of nothing but the log and the programs of `image`; the serial port's text up to `until`."""
    root = os.path.join(paths.BUILD, f"root-log-{os.path.basename(folder)}.erofs")
    binary = os.path.join(folder, "bin")
    files = {"/bin/log": os.path.join(binary, "log"), "/bin/attack": os.path.join(binary, "native-log-attack")}
    images = {f"/images/{each}": os.path.join(LOG_FOLDER, each) for each in os.listdir(LOG_FOLDER) if each.endswith(".image")}
    root_image.make_of({**files, **images}, root)
    _, text = context.boot(name, append=f"image=/images/{image}.image {append}", until=until, kernel=os.path.join(binary, "themelios-direct"), root=root)
    return text.replace("\r\n", "\n")


def _log_forging(context, folder):
    # The bound is told of while the flood lasts, too, where that is long.
    text = _log_boot(context, f"attacks-log-{os.path.basename(folder)}", "forging", folder, ("lines of attacker dropped\n", "init: attacker ended by exit with 7\n", "victim: honest\n"))
    assert not FORGED.search(text), text[-2000:]
    for line in ("victim: honest", "attacker: victim: forged by its name", "attacker: honest?victim: forged by a newline", "attacker: ??[2K?[1Gvictim: forged by a terminal",
                 "sandbox 1: victim: forged from a sandbox", "attacker: granted 0", "init: attacker ended by exit with 7"):
        assert f"\n{line}\n" in text, f"{line!r} is missing in\n{text[-2000:]}"
    # What was written over the bound is neither shown nor lost in silence.
    shown = len(re.findall(r"^attacker: flood ", text, re.M))
    dropped = sum(int(count) for count in re.findall(r"^log: (\d+) lines of attacker dropped$", text, re.M))
    assert dropped and shown < 500 and shown + dropped <= 1000 + 6, (shown, dropped)


def _log_forging_teeth(context):
    text = _log_boot(context, "attacks-log-teeth", "forging", paths.TWIN, "init: attacker ended", "weaken=log_writer")
    assert FORGED.search(text), "no line in another's name without log_writer: the attack tests nothing"


def _log_dead(context):
    """A program whose log is gone goes on."""
    text = _log_boot(context, "attacks-log-dead", "dead", paths.NATIVE, ("init: talker ended by exit with 7", "init: log ended by exit with 1"))
    assert "nobody hears" not in text, text[-2000:]


# --- from inside a container

def _program(name):
    """The attack program without its symbols: it travels into the container by standard input."""
    target = os.path.join(paths.BUILD, "test-logs", "attack-" + name)
    subprocess.run(["llvm-strip-19", "-o", target, os.path.join(paths.SERVICES, "bin", "test-attack-" + name)], check=True)
    return _read(target)


PATIENCE = 600 # seconds until a container is given up
RECEIVE = "cat > /tmp/attack && chmod +x /tmp/attack && exec /tmp/attack "


def _inside(port, name, *arguments):
    """Runs an attack program in a container of its own; a CompletedProcess with text."""
    words = docker.words(port, ["run", "-i", "--rm", "busybox", "sh", "-c", RECEIVE + " ".join(arguments)])
    result = subprocess.run(words, input=_program(name), capture_output=True, timeout=PATIENCE, env=docker.environment())
    return subprocess.CompletedProcess(words, result.returncode, result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace"))


def _counts(result, name, words):
    found = re.search(rf"{name}: (\d+) {words[0]}, (\d+) {words[1]}", result.stdout)
    assert found, f"no result, exit code {result.returncode}: {result.stdout[-1000:]!r} {result.stderr[-1000:]!r}"
    return int(found[1]), int(found[2])


def _pointers(port, name, least):
    result = _inside(port, name)
    calls, findings = _counts(result, name, ("calls", "findings"))
    assert result.returncode == 0 and findings == 0 and calls >= least, result.stdout[-3000:]
    # The node and its containers are as before.
    after = docker.capture(port, ["run", "--rm", "busybox", "echo", "alive"], timeout=PATIENCE)
    assert after.stdout == "alive\n", after.stderr[-500:]


def _reach(port, targets):
    """Target → `api`, `open` or `closed`."""
    result = _inside(port, "reach", *targets)
    found = dict(re.findall(r"reach (\S+) (api|open|closed)", result.stdout))
    assert set(found) == set(targets), result.stdout[-2000:] + result.stderr[-1000:]
    return found


def _host(port):
    """QEMU's gateway leads to this machine's loopback, and so to the node's own API."""
    return f"10.0.2.2:{port}"


SYSTEM_SANDBOXES = [f"172.17.0.{last}:2375" for last in range(2, 6)]


def _api_is_out_of_reach(port):
    targets = ["172.17.0.1:2375", "10.0.2.15:2375", "127.0.0.1:2375", "10.0.2.3:2375", "172.17.255.255:2375", _host(port), *SYSTEM_SANDBOXES]
    found = _reach(port, targets)
    # A container asks for its own address too, where nobody listens; `open` would be somebody else's port.
    assert set(found.values()) == {"closed"}, found


def _a_peer_is_in_reach(port):
    """The probe sees what there is: a container's open port is found by the next container."""
    started = docker.capture(port, ["run", "-d", "busybox", "sh", "-c", "while true; do echo hello | nc -l -p 8080; done"], timeout=PATIENCE)
    assert started.returncode == 0, started.stderr
    name = started.stdout.strip()
    try:
        address = docker.capture(port, ["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name], timeout=PATIENCE).stdout.strip()
        # Where it does not listen yet, or not again yet, it is closed.
        end = time.monotonic() + PATIENCE
        while True:
            found = _reach(port, [f"{address}:8080", f"{address}:8081"])
            assert found[f"{address}:8081"] == "closed", found
            if found[f"{address}:8080"] == "open":
                break
            assert time.monotonic() < end, found
    finally:
        docker.capture(port, ["rm", "-f", name], timeout=PATIENCE)


def _neighbours(port):
    words = docker.words(port, ["run", "-i", "--rm", "busybox", "sh", "-c", f"head -c {len(_program('neighbours'))} > /tmp/attack && chmod +x /tmp/attack && exec /tmp/attack victim"])
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=docker.environment()) as victim:
        victim.stdin.write(_program("neighbours"))
        victim.stdin.flush()
        ready = victim.stdout.readline()
        assert ready == b"victim ready\n", ready
        attack = _inside(port, "neighbours", "attack")
        victim.stdin.close()
        last = victim.stdout.read()
        code = victim.wait(timeout=PATIENCE)
    probes, reached = _counts(attack, "neighbours", ("probes", "reached"))
    assert probes > 4000 and reached == 0, attack.stdout[-3000:]
    assert code == 0 and last == b"victim: children alive, canary whole\n", (code, last)


def _neighbours_are_found(port):
    """The same attack within one container finds them, in every way but one that needs a privilege."""
    result = _inside(port, "neighbours", "both")
    _, reached = _counts(result, "neighbours", ("probes", "reached"))
    missing = [way for way in ("by kill", "by tgkill", "by getpgid", "an abstract socket", "a file", "a futex", "somebody by kill -1")
               if f"reached {way} " not in result.stdout]
    assert reached > 10 and not missing, f"the attack does not find {missing}: it tests nothing"


def _twin_image():
    root_image.make(paths.TWIN, TWIN_ROOT)


def _twin_node(context, weakness):
    return context.own_node(f"attacks-node-{weakness}", f"weaken={weakness}", os.path.join(paths.TWIN, "bin", "themelios-direct"), TWIN_ROOT)


def _guest_pointer_teeth(context):
    with _twin_node(context, "guest_pointer") as port:
        result = _inside(port, "contents", "take")
        # The head of the personality's program: an ELF file.
        assert "came back, from 7f 45 4c 46" in result.stdout, result.stdout[-2000:] + result.stderr[-500:]


def _uplink_gateway_teeth(context):
    with _twin_node(context, "uplink_gateway") as port:
        found = _reach(port, [_host(port)])
        assert found == {_host(port): "api"}, f"{found}: the API stays out of reach by another way"


def _system_sandbox_teeth(context):
    with _twin_node(context, "system_sandbox") as port:
        found = _reach(port, SYSTEM_SANDBOXES)
        assert "api" in found.values(), f"{found}: the API stays out of reach by another way"


def _said(serial, texts, otherwise):
    """Returns once all of the texts are in what `serial` gives, a file that QEMU writes."""
    end = time.monotonic() + PATIENCE
    while not all(text in serial() for text in texts):
        assert time.monotonic() < end, f"{otherwise}\n{serial()[-2000:]}"
        time.sleep(0.1)


@contextlib.contextmanager
def _captured_node(context, folder, append="", cpus=2):
    """A node whose personality is taken over in a sandbox of that name; gives the API's port and a function for the serial port's text."""
    name = f"captured-{os.path.basename(folder)}-{append.replace('=', '-')}"
    root = os.path.join(paths.BUILD, f"root-{name}.erofs")
    root_image.make(folder, root, programs={"personality": os.path.join(folder, "bin", "native-captured")})
    with context.own_node(f"attacks-{name}", append, os.path.join(folder, "bin", "themelios-direct"), root, cpus=cpus) as port:
        yield port, lambda: _read(os.path.join(context.log_folder, f"attacks-{name}.serial")).decode(errors="replace")


CAPTURED = ("run", "--rm", "--hostname", "captured", "busybox", "echo", "alive")


def _captured(context, folder):
    with _captured_node(context, folder) as (port, serial):
        attack = docker.capture(port, CAPTURED, timeout=PATIENCE)
        assert "captured both rings: 0 and 0 granted" in serial(), serial()[-2000:]
        assert attack.stdout == "alive\n", attack.stderr[-500:]
        # The switch and runtime go on for others.
        assert docker.capture(port, ["ps"], timeout=PATIENCE).returncode == 0
        _a_peer_is_in_reach(port)


def _captured_teeth(context):
    with _captured_node(context, paths.TWIN, "weaken=ring_rights") as (port, serial):
        with subprocess.Popen(docker.words(port, list(CAPTURED)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=docker.environment()) as client:
            try:
                _said(serial, [f"init: {server} ended by fault" for server in ("switch", "runtime")], "the servers still stand without ring_rights: it tests nothing")
            finally:
                client.kill()


def _without_end(context, host, said):
    """Records without end, of a kind that there is not (net) and of one that says nothing (control), or calls: the switch and runtime serve the others all the same."""
    # A processor for each server that reads, for who writes, and for the others: nobody's ring is empty because there was no time to fill it.
    with _captured_node(context, paths.NATIVE, cpus=4) as (port, serial):
        command = ["run", "--hostname", host, "busybox", "true"]
        with subprocess.Popen(docker.words(port, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=docker.environment()) as client:
            try:
                _said(serial, [said], "it is not served")
                assert docker.capture(port, ["ps"], timeout=PATIENCE).returncode == 0
                _a_peer_is_in_reach(port)
            finally:
                client.kill()


def _grasps(context, folder, said, otherwise, append=""):
    """A personality that asks for its stream without end: each answer would be a record in the name of runtime, which waits for nothing."""
    with _captured_node(context, folder, append) as (port, serial):
        command = ["run", "--hostname", "grasping", "busybox", "true"]
        with subprocess.Popen(docker.words(port, command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=docker.environment()) as client:
            try:
                _said(serial, [said], otherwise)
            finally:
                client.kill()


def _mute(context):
    """Personalities that never say that their program started, more than the engine has workers, or that it ended: they hold up nobody else, go when they are removed, and are given up."""
    with _captured_node(context, paths.NATIVE) as (port, serial):
        names = [f"mute{n}" for n in range(5)]
        for name in names:
            made = docker.capture(port, ["create", "--name", name, "--hostname", name, "busybox", "true"], timeout=PATIENCE)
            assert made.returncode == 0, made.stderr
        clients = [subprocess.Popen(docker.words(port, ["start", name]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=docker.environment())
                   for name in names]
        try:
            _said(serial, [f"{name}: says no more" for name in names], "they are not started")
            for name, client in zip(names[1:], clients[1:]):
                gone = docker.capture(port, ["rm", "-f", name], timeout=PATIENCE)
                assert gone.returncode == 0, gone.stderr
                told = client.communicate(timeout=PATIENCE)[1]
                assert client.returncode != 0 and (b"removed" in told or b"marked for removal" in told or b"No such container" in told), told
            _a_peer_is_in_reach(port)
            # Nor does one stay that says it started, and does not end what it is told to end.
            made = docker.capture(port, ["run", "-d", "--name", "deaf", "--hostname", "deaf", "busybox", "true"], timeout=PATIENCE)
            assert made.returncode == 0, made.stderr
            killed = docker.capture(port, ["kill", "deaf"], timeout=PATIENCE)
            assert "no exit event" in killed.stderr, killed.stderr
            told = clients[0].communicate(timeout=PATIENCE)[1]
            assert clients[0].returncode != 0 and b"did not start the program in time" in told, told
            ended = docker.capture(port, ["wait", "deaf"], timeout=PATIENCE)
            assert ended.stdout == "137\n", (ended.stdout, ended.stderr)
            for name in (names[0], "deaf"):
                gone = docker.capture(port, ["rm", name], timeout=PATIENCE)
                assert gone.returncode == 0, gone.stderr
        finally:
            for client in clients:
                client.kill()
                client.wait()


MADE_BY_CAPTURED = 8 # processes


def _processes(port):
    return api.get_json(port, "/themelios/node", timeout=PATIENCE)["objects"]["process"]


@contextlib.contextmanager
def _end_with_processes(context, folder, append=""):
    """Personalities that make processes and end, or are ended for a broken ring, and are removed. Gives a function for how many processes the node has more than before."""
    with _captured_node(context, folder, append) as (port, serial):
        before = _processes(port)
        for host in ("leaving", "breaking"):
            ended = docker.capture(port, ["run", "--name", host, "--hostname", host, "busybox", "true"], timeout=PATIENCE)
            assert ended.returncode != 0 and f"{host}: made {MADE_BY_CAPTURED} processes" in serial(), (ended.stderr, serial()[-2000:])
            gone = docker.capture(port, ["rm", "-f", host], timeout=PATIENCE)
            assert gone.returncode == 0, gone.stderr
        _a_peer_is_in_reach(port)
        yield lambda: _processes(port) - before


def _processes_end(context):
    with _end_with_processes(context, paths.NATIVE) as left:
        end = time.monotonic() + PATIENCE
        while left() > 0:
            assert time.monotonic() < end, f"{left()} processes are left of personalities that ended"
            time.sleep(0.1)


def _processes_end_teeth(context):
    with _end_with_processes(context, paths.TWIN, "weaken=sandbox_processes") as left:
        assert left() >= 2 * MADE_BY_CAPTURED, f"{left()} processes are left without sandbox_processes: it tests nothing"


def _container_cases(context):
    port = context.api
    yield "every pointer of every call", lambda: _pointers(port(), "pointers", 300)
    yield "contents", lambda: _pointers(port(), "contents", 100)
    yield "the API is out of reach", lambda: _api_is_out_of_reach(port())
    yield "teeth a peer is in reach", lambda: _a_peer_is_in_reach(port())
    yield "neighbours", lambda: _neighbours(port())
    yield "teeth neighbours in one container", lambda: _neighbours_are_found(port())
    yield "the twin's root image", _twin_image
    yield "a captured personality takes no ring", lambda: _captured(context, paths.NATIVE)
    yield "a captured personality that writes without end", lambda: _without_end(context, "flooding", "flooding: both rings are read")
    yield "a captured personality that calls without end", lambda: _without_end(context, "calling", "calling: runtime answers")
    yield "a captured personality gets each stream once", lambda: _grasps(context, paths.NATIVE, "grasping: 1 given, 99 refused", "it gets a stream more than once, or never")
    yield "a captured personality that never starts its program", lambda: _mute(context)
    yield "a captured personality leaves no process", lambda: _processes_end(context)
    yield "teeth sandbox_processes of a captured personality", lambda: _processes_end_teeth(context)
    yield "teeth ring_rights of a captured personality", lambda: _captured_teeth(context)
    yield "teeth stream_once of a captured personality", lambda: _grasps(context, paths.TWIN, "grasping: 100 given, 0 refused", "it is refused without stream_once: it tests nothing",
                                                                        "weaken=stream_once")
    yield "teeth guest_pointer", lambda: _guest_pointer_teeth(context)
    yield "teeth uplink_gateway", lambda: _uplink_gateway_teeth(context)
    yield "teeth system_sandbox", lambda: _system_sandbox_teeth(context)


def cases(context):
    built = []

    def compile_twin():
        build.build("twin")
        built.append(True)

    yield "build", compile_twin
    if not built:
        return
    yield "the release holds no weakness", _release_is_whole
    yield "the twin holds them all", _twin_is_weak
    for cpus in (1, 2, 4):
        yield f"native {cpus} CPUs", lambda cpus=cpus: _fails(context, paths.NATIVE, cpus)
    yield "native in the twin, nothing weakened", lambda: _fails(context, paths.TWIN, 2)
    for weakness, attack in NATIVE_TEETH:
        yield f"teeth {weakness} {attack}", lambda weakness=weakness, attack=attack: _succeeds(context, weakness, attack)
    yield "teeth {} {}".format(*FUZZ_TEETH), lambda: _harms(context, *FUZZ_TEETH)
    yield "log written in another's name", lambda: _log_forging(context, paths.NATIVE)
    yield "log in the twin, nothing weakened", lambda: _log_forging(context, paths.TWIN)
    yield "teeth log_writer", lambda: _log_forging_teeth(context)
    yield "a dead log holds nobody up", lambda: _log_dead(context)
    for weakness, attack, image, cpus in STOPPING_TEETH:
        yield f"teeth {weakness} {attack}", lambda each=(weakness, attack, image, cpus): _harms(context, *each)
    for each in UNBOUNDED:
        yield f"teeth {each[0]} {each[1]}", lambda each=each: _keeps_others_waiting(context, *each)
    yield "teeth log_limit", lambda: _calls_notice(context, "log_limit", "many_faults_are_few_lines")
    yield "teeth audit_wait", lambda: _calls_notice(context, "audit_wait", "who_fills_the_audit_log_waits")
    yield "teeth move_cut", lambda: _calls_notice(context, "move_cut", "what_is_taken_from_a_mapping_is_taken_where_it_moved")
    yield "teeth move_cut of what came in its place", lambda: _calls_notice(context, "move_cut", "what_came_in_a_mappings_place_is_not_taken_with_it")
    yield "teeth lender_charge", lambda: _server_pays(context)
    for weakness in ("user_page_run", "user_page_access"):
        yield f"teeth {weakness}", lambda weakness=weakness: _kernel_test_notices(context, weakness)
    yield "teeth root_left", lambda: _machine_resets(context, "root_left", "tables_that_are_freed_are_walked_by_no_processor")
    yield "teeth deferred_end", lambda: _kernel_dies(context, "deferred_end", "a_long_chain_of_processes_goes")
    yield from _container_cases(context)
