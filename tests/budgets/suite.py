"""Containers get the processor time and memory of their budgets, no more and no less. By the guest's clock."""

import contextlib
import json
import os
import subprocess
import threading

from image import docker_archive
from xt import api, docker, paths

PROGRAM = os.path.join(paths.SERVICES, "bin", "test-budgets")
NAME = "test-budgets"
MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND
# The guest's clock counts instructions, whatever this machine does besides.
ICOUNT = ("-icount", "shift=1,sleep=off")
PATIENCE = 600 # seconds of this machine until a container is given up
LIMIT_PART = 0.05 # how far from its limit a container may be
WEIGHT_PART = 0.1 # and from its part by weight
LATEST = 10 * MILLISECOND # behind its deadline a sleeper runs
LONGER = 3 # times the answers of a neighbour may take
OFFENDERS = 8 # containers that go beyond their memory, one behind another
DOINGS = ("computing", "sleeping", "forking", "creating threads")
LEAST_SEEN = 20 # times in each of them, or it tells nothing


class Load:
    """A container that runs, and the numbers of the lines that it wrote so far."""

    def __init__(self, port, name, options, words):
        self.name = name
        self.rows = []
        self._over = False # nothing more comes
        command = ["run", "--name", name, *options, NAME, NAME, *(str(word) for word in words)]
        self._run = subprocess.Popen(docker.words(port, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=docker.environment())
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._run.stdout:
            try:
                row = [int(word) for word in line.split()]
            except ValueError:
                print(f"{self.name}: {line.rstrip()}", flush=True)
                continue
            with self._came:
                self.rows.append(row)
                self._came.notify_all()
        with self._came:
            self._over = True
            self._came.notify_all()

    def until(self, ready):
        """Once `ready` of the rows is true, those rows."""
        with self._came:
            self._came.wait_for(lambda: ready(self.rows) or self._over, PATIENCE)
            assert ready(self.rows), f"{self.name}: no more than {self.rows[-3:]}"
            return list(self.rows)

    def code(self):
        """With which it ended."""
        code = self._run.wait(timeout=PATIENCE)
        self._reader.join()
        return code

    def close(self):
        self._run.kill()
        self._run.wait()


class Node:
    """The node at so many processors, and what each case does there."""

    def __init__(self, context, cpus, counts=True):
        """`counts`: its clock counts instructions."""
        self.cpus = cpus
        self._counts = counts
        self._context = context
        self._node = None
        self.port = None

    def run(self, case):
        if self._node is None:
            self._start()
        case()

    def _start(self):
        how = {"extra": ICOUNT, "accel": "tcg,thread=single"} if self._counts else {}
        self._node = self._context.own_node(f"budgets-{self.cpus}", cpus=self.cpus, **how)
        self.port = self._node.__enter__()
        self._done("load", "-i", docker_archive.of_program(os.path.join(paths.BUILD, "test-logs", NAME + ".tar"), NAME, PROGRAM))
        if not self._counts:
            return
        # A guest that waits goes on at once to the next time that it waits for: that is to be near, or the API's connections are too old.
        self._done("run", "-d", "--name", "paces", NAME, NAME, "pace")

    def close(self):
        if self.port is not None:
            self._node.__exit__(None, None, None)

    def _done(self, *words):
        result = docker.capture(self.port, list(words), timeout=PATIENCE)
        assert result.returncode == 0, f"docker {' '.join(words)}: {result.stderr[-500:]}"
        return result.stdout.strip()

    def _now(self):
        answer = api.get(self.port, "/themelios/node", timeout=100)
        assert answer and answer[0] == 200, answer
        return json.loads(answer[1])["monotonic_nanoseconds"]

    @contextlib.contextmanager
    def _load(self, name, options, *words):
        load = Load(self.port, name, options, words)
        try:
            yield load
        finally:
            docker.capture(self.port, ["rm", "-f", name], timeout=PATIENCE)
            load.close()

    def _say(self, text):
        print(f"{self.cpus} CPUs: {text}", flush=True)

    # --- processor time
    @staticmethod
    def _rates(rows, begin, end):
        """Work and processor time in a nanosecond of the guest's time, of the longest stretch that is told of between two times."""
        inside = [row for row in rows if begin <= row[0] <= end]
        assert len(inside) > 2, (begin, end, rows[-3:])
        (at, work, used), (at_end, work_end, used_end) = inside[0], inside[-1]
        return (work_end - work) / (at_end - at), (used_end - used) / (at_end - at)

    def _alone(self, options, threads=1, seconds=2):
        with self._load("alone", options, "spin", threads, seconds) as load:
            assert load.code() == 0
            return self._rates(load.rows, load.rows[0][0] + 200 * MILLISECOND, load.rows[-1][0])

    def _beside(self, first, second, seconds):
        """Two containers, each options and threads: the parts of all processors' work that each did, and its processor time."""
        with self._load("second", second[0], "spin", second[1], 1000) as other:
            other.until(lambda rows: rows)
            with self._load("first", first[0], "spin", first[1], seconds) as load:
                assert load.code() == 0
                begin, end = load.rows[0][0] + 200 * MILLISECOND, load.rows[-1][0]
                others = other.until(lambda rows: rows[-1][0] >= end)
        both = [self._rates(rows, begin, end) for rows in (load.rows, others)]
        work = sum(rate for rate, _ in both)
        return [(rate / work, used) for rate, used in both]

    def limit_alone(self):
        whole, _ = self._alone([])
        part, used = self._alone(["--cpus", "0.5"], seconds=4)
        self._say(f"--cpus 0.5 alone: {part / whole:.4f} of the work of a processor in {used:.4f} of its time; without it 1")
        for each in (part / whole, used):
            assert abs(each / 0.5 - 1) <= LIMIT_PART, each

    def limit_beside(self):
        # Its weight alone would give it four times the other one's part.
        options = ["--cpu-shares", "4096"]
        spins = ([], self.cpus)
        (free, _), _ = self._beside((options, 1), spins, 2)
        (part, used), (other, _) = self._beside((["--cpus", "0.5", *options], 1), spins, 4)
        part, other, free = part * self.cpus, other * self.cpus, free * self.cpus
        self._say(f"--cpus 0.5 beside {self.cpus} that spin: {part:.4f} of the work of a processor in {used:.4f} of its time, the other one {other:.4f}; without it {free:.4f}")
        for each in (part, used):
            assert abs(each / 0.5 - 1) <= LIMIT_PART, each
        assert free > 0.7, f"{free}: without a limit it has no more, which tests nothing"

    def shares(self):
        one = ["--cpuset-cpus", str(self.cpus - 1)]
        (few, _), (many, _) = self._beside((["--cpu-shares", "1024", *one], 1), (["--cpu-shares", "1024", *one], 64), 3)
        self._say(f"shares 1024 with 1 thread and 1024 with 64: {few:.4f} and {many:.4f}")
        assert abs(few / many - 1) <= WEIGHT_PART, (few, many)

    def shares_in_proportion(self):
        for first, second in ((2048, 1024), (1024, 2048)):
            (one, _), (other, _) = self._beside((["--cpu-shares", str(first)], 2 * self.cpus), (["--cpu-shares", str(second)], 2 * self.cpus), 3)
            self._say(f"shares {first} and {second}: {one:.4f} and {other:.4f}")
            assert abs(one / other / (first / second) - 1) <= WEIGHT_PART, (one, other)

    def update(self):
        with self._load("updated", ["--cpus", "0.5"], "spin", 1, 1000) as load:
            rows = load.until(lambda rows: rows and rows[-1][0] - rows[0][0] > 3 * SECOND)
            _, before = self._rates(rows, rows[0][0] + 200 * MILLISECOND, rows[-1][0])
            whole, _ = self._rates(rows, rows[0][0] + 200 * MILLISECOND, rows[-1][0])
            self._done("update", "--cpus", "0.25", "updated")
            changed = self._now() + 200 * MILLISECOND
            rows = load.until(lambda rows: rows[-1][0] > changed + 4 * SECOND)
            part, after = self._rates(rows, changed, rows[-1][0])
        self._say(f"docker update --cpus 0.25: {before:.4f} before, {after:.4f} behind it; the work is {part / whole:.4f} of what it was")
        for measured, wanted in ((before, 0.5), (after, 0.25), (part / whole, 0.5)):
            assert abs(measured / wanted - 1) <= LIMIT_PART, measured

    def sleeper(self):
        with self._load("second", [], "spin", 64, 1000) as other:
            other.until(lambda rows: rows)
            with self._load("first", [], "sleep", 0, 4) as load:
                assert load.code() == 0
                naps, latest = load.rows[0]
            # Beside threads of its own container it has no time of its own that it has not used.
            with self._load("first", [], "sleep", 64, 2) as load:
                assert load.code() == 0
                _, among = load.rows[0]
        self._say(f"of {naps} naps beside 64 threads that spin the latest ended {latest / MILLISECOND:.3f} ms late, among its own {among / MILLISECOND:.3f} ms")
        assert naps > 100 and max(latest, among) <= LATEST, f"{latest} ns, {among} ns"

    # --- processors
    def _places(self, *options):
        """How often a load that computes, sleeps, forks and creates threads was seen on each processor, by getcpu and by CPUID."""
        with self._load("places", options, "places", 6) as load:
            assert load.code() == 0 and len(load.rows) == len(DOINGS), load.rows
        seen = {}
        for doing, row in zip(DOINGS, load.rows):
            half = len(row) // 2
            seen[doing] = row[:half], row[half:]
            self._say(f"{' '.join(options) or 'anywhere'}, {doing}: getcpu tells {self._counted(row[:half])}, CPUID {self._counted(row[half:])}")
            assert sum(row[:half]) >= LEAST_SEEN and sum(row[half:]) >= LEAST_SEEN, f"{doing}: {row} tells little"
        return seen

    @staticmethod
    def _counted(counts):
        return ", ".join(f"{cpu}: {count}" for cpu, count in enumerate(counts) if count) or "none"

    def cpuset(self):
        """Beside two threads that spin where it may be, and with the other processor idle, it would be anywhere else at once; without the option it is."""
        with self._load("crowd", ["--cpuset-cpus", "1"], "spin", 2, 1000) as crowd:
            crowd.until(lambda rows: rows)
            kept = self._places("--cpuset-cpus", "1")
            free = self._places()
        for doing in DOINGS:
            for counts, at_will in zip(kept[doing], free[doing]):
                assert sum(counts) == counts[1], f"{doing} beyond --cpuset-cpus 1: {self._counted(counts)}"
                assert at_will[0], f"{doing} with all processors: {self._counted(at_will)}: the measure does not see the other one"
        for at_will in free["computing"]:
            assert at_will[1], f"with all processors: {self._counted(at_will)}: they were never taken"

    # --- memory
    @staticmethod
    def _slow(answers, begin, end):
        """How many answers came in a stretch, and how long 99 of 100 took at most."""
        took = sorted(took for at, took in answers if at > begin and at - took <= end)
        assert len(took) > 50, f"{len(took)} answers"
        return len(took), took[len(took) * 99 // 100]

    def memory(self):
        self._done("run", "-d", "--name", "serves", NAME, NAME, "serve")
        try:
            with self._load("asks", [], "ask", self._done("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "serves")) as asks:
                self._memory(asks)
        finally:
            docker.capture(self.port, ["rm", "-f", "serves"], timeout=PATIENCE)

    def _memory(self, asks):
        def answers(until):
            rows = asks.until(lambda rows: rows and rows[-1][-2] > until)
            return [pair for row in rows for pair in zip(row[::2], row[1::2])]

        first = asks.until(lambda rows: rows)[0][0]
        answers(first + 2 * SECOND)
        stretches = []
        for number in range(OFFENDERS):
            with self._load(f"eats{number}", ["--memory", "64m"], "eat", 512) as load:
                code = load.code()
                stretches.append((load.rows[0][0], self._now()))
                state = self._done("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", load.name)
                assert code == 137 and state == "true 137", (code, state)
        with self._load("fits", ["--memory", "640m"], "eat", 512) as load:
            code = load.code()
            state = self._done("inspect", "-f", "{{.State.OOMKilled}} {{.State.ExitCode}}", load.name)
            assert code == 0 and state == "false 0", (code, state)
        stalled = self._now()
        self._done("kill", "-s", "USR1", "serves")
        all_of_them = answers(stalled + 300 * MILLISECOND)
        count, before = self._slow(all_of_them, first, first + 2 * SECOND)
        during = [pair for begin, end in stretches for pair in all_of_them if pair[0] > begin and pair[0] - pair[1] <= end]
        counted, meanwhile = self._slow(during, 0, self._now())
        worst = max(took for at, took in all_of_them if at > stalled)
        whole = sum(end - begin for begin, end in stretches)
        self._say(f"--memory 64m: 99 of 100 of {count} answers of a neighbour within {before / MILLISECOND:.3f} ms, of {counted} in the {whole / MILLISECOND:.0f} ms in which "
                  f"{OFFENDERS} containers end {meanwhile / MILLISECOND:.3f} ms, the longest {max(took for _, took in during) / MILLISECOND:.3f} ms; one that stalls {worst / MILLISECOND:.3f} ms")
        # The clock tells nanoseconds of counted instructions, so what is so short is no less sure.
        allowed = LONGER * before
        assert meanwhile <= allowed, f"{meanwhile} ns"
        assert worst > allowed, f"{worst} ns: the measure does not see that the neighbour stalls"

    def cases(self):
        yield "limit alone", self.limit_alone
        yield "shares", self.shares
        yield "update", self.update
        yield "memory", self.memory
        yield "limit beside", self.limit_beside
        yield "shares in proportion", self.shares_in_proportion
        yield "sleeper", self.sleeper


def cases(context):
    # At one processor: QEMU 7.2 starves a node of two that both compute where it counts instructions. Where it does not, such a node answers at once.
    node = Node(context, 1)
    try:
        for name, case in node.cases():
            yield name, lambda case=case: node.run(case)
    finally:
        node.close()
    # Where somebody runs is no matter of the clock.
    both = Node(context, 2, counts=False)
    try:
        yield "cpuset", lambda: both.run(both.cpuset)
    finally:
        both.close()
