package io.github.commandway.tools;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.dispatch.Reason;
import io.github.commandway.manager.CommandHandle;
import io.github.commandway.manager.CommandRecord;
import io.github.commandway.manager.CommandStatus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** WebAssembly programs are tools like all others, but see and take no more than they may. They are made with Debian's wat2wasm. */
class WasmToolTest {
    private static final String IMPORTS = """
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_filestat_set_size" (func $set_size (param i32 i64) (result i32)))
            (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_open"
              (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_rename"
              (func $rename (param i32 i32 i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_symlink"
              (func $symlink (param i32 i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_link"
              (func $link (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func $put (param $fd i32) (param $from i32) (param $length i32)
              (i32.store (i32.const 0) (local.get $from))
              (i32.store (i32.const 4) (local.get $length))
              (drop (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
            """;

    /** Writes its arguments to stdout, its environment and what it reads to stderr, and ends with 3. */
    private static final String ECHO = """
            (drop (call $args_sizes (i32.const 16) (i32.const 20)))
            (drop (call $args (i32.const 2000) (i32.const 3000)))
            (call $put (i32.const 1) (i32.const 3000) (i32.load (i32.const 20)))
            (drop (call $env_sizes (i32.const 16) (i32.const 20)))
            (drop (call $env (i32.const 5000) (i32.const 6000)))
            (call $put (i32.const 2) (i32.const 6000) (i32.load (i32.const 20)))
            (i32.store (i32.const 0) (i32.const 10000))
            (i32.store (i32.const 4) (i32.const 1000))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 24)))
            (call $put (i32.const 2) (i32.const 10000) (i32.load (i32.const 24)))
            (call $exit (i32.const 3))
            """;

    /** Does what its arguments say: an operation, the number of a folder, a path. Ends with the number of the error. */
    private static final String FILES = """
            (local $what i32) (local $folder i32) (local $path i32) (local $length i32) (local $error i32)
            (drop (call $args_sizes (i32.const 16) (i32.const 20)))
            (drop (call $args (i32.const 2000) (i32.const 3000)))
            (local.set $what (i32.load8_u (i32.load (i32.const 2004))))
            (local.set $folder (i32.sub (i32.load8_u (i32.load (i32.const 2008))) (i32.const 48)))
            (local.set $path (i32.load (i32.const 2012)))
            (local.set $length
              (i32.sub (i32.add (i32.const 2999) (i32.load (i32.const 20))) (local.get $path)))
            (if (i32.eq (local.get $what) (i32.const 114)) (then ;; r
              (local.set $error (call $open (local.get $folder) (i32.const 1) (local.get $path) (local.get $length)
                (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 28)))
              (if (i32.eqz (local.get $error)) (then
                (i32.store (i32.const 0) (i32.const 10000))
                (i32.store (i32.const 4) (i32.const 1000))
                (drop (call $read (i32.load (i32.const 28)) (i32.const 0) (i32.const 1) (i32.const 24)))
                (call $put (i32.const 1) (i32.const 10000) (i32.load (i32.const 24)))))))
            (if (i32.eq (local.get $what) (i32.const 119)) (then ;; w
              (local.set $error (call $open (local.get $folder) (i32.const 1) (local.get $path) (local.get $length)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 28)))
              (if (i32.eqz (local.get $error)) (then
                (call $put (i32.load (i32.const 28)) (local.get $path) (local.get $length))))))
            (if (i32.eq (local.get $what) (i32.const 99)) (then ;; c: of a folder in the folder
              (drop (call $open (local.get $folder) (i32.const 1) (i32.const 40) (i32.const 4)
                (i32.const 2) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 28)))
              (drop (call $renumber (i32.load (i32.const 28)) (i32.const 3)))
              (local.set $error (call $open (i32.const 3) (i32.const 1) (local.get $path) (local.get $length)
                (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 28)))))
            (if (i32.eq (local.get $what) (i32.const 109)) (then ;; m
              (local.set $error (call $mkdir (local.get $folder) (local.get $path) (local.get $length)))))
            (if (i32.eq (local.get $what) (i32.const 117)) (then ;; u
              (local.set $error (call $unlink (local.get $folder) (local.get $path) (local.get $length)))))
            (if (i32.eq (local.get $what) (i32.const 110)) (then ;; n
              (local.set $error (call $rename (local.get $folder) (local.get $path) (local.get $length)
                (i32.const 3) (i32.const 40) (i32.const 4)))))
            (if (i32.eq (local.get $what) (i32.const 115)) (then ;; s
              (local.set $error (call $symlink (local.get $path) (local.get $length)
                (local.get $folder) (i32.const 40) (i32.const 4)))))
            (if (i32.eq (local.get $what) (i32.const 108)) (then ;; l
              (local.set $error (call $link (local.get $folder) (i32.const 0) (local.get $path) (local.get $length)
                (i32.const 3) (i32.const 40) (i32.const 4)))))
            (call $exit (local.get $error))
            """;

    private static final String FILES_DATA = "(data (i32.const 40) \"data\")";

    @TempDir
    Path folder;

    @Test
    void aProgramHasArgumentsEnvironmentInputAndOutputAndAnExitCode() throws Exception {
        wasm("echo", ECHO, "", "arguments: {max: 3}", "env: {GREETING: hello}", "exit_codes: {3: as expected}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(
                    ToolRequest.tool("echo", "one", "two words").stdin("input".getBytes(StandardCharsets.UTF_8)));

            assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(record.message()).isEqualTo("exit code 3: as expected");
            assertThat(fixture.output(record, "stdout")).isEqualTo("echo\0one\0two words\0");
            assertThat(fixture.output(record, "stderr"))
                    .contains("GREETING=hello\0", "HOME=/work\0", "COMMANDWAY_TOOL=echo\0")
                    .endsWith("input");
            assertThat(ToolFixture.result(record).get("isolation").asString()).isEqualTo("wasm");
            assertThat(ToolFixture.result(record).get("processes_ended_by").asString())
                    .isEqualTo("in_process");
            assertThat(ToolFixture.result(record).get("all_processes_ended").asBoolean())
                    .isTrue();
            assertThat(ToolFixture.result(record).get("exit_code").asInt()).isEqualTo(3);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "w, 3, out.txt, 0",
        "r, 3, in.txt, 0",
        "r, 4, data/words.txt, 0",
        "r, 4, tool.yaml, 0",
        "r, 3, ../../../tools/files/1.0.0/tool.yaml, 63",
        "r, 3, a/../../x, 63",
        "r, 3, /etc/passwd, 63",
        "r, 3, ../output, 63",
        "w, 3, ../output, 63",
        "m, 3, ../more, 63",
        "u, 3, ../../output, 63",
        "r, 4, ../../../runs, 63",
        "r, 3, '..\\..\\x', 63",
        "w, 4, new.txt, 69",
        "w, 4, tool.yaml, 69",
        "c, 4, new.txt, 69",
        "m, 4, more, 69",
        "u, 4, tool.yaml, 69",
        "n, 4, tool.yaml, 69",
        "s, 3, in.txt, 58",
        "l, 4, tool.yaml, 58",
        "r, 5, in.txt, 8",
    })
    void itSeesTheFolderOfItsRunAndReadOnlyItsOwn(String operation, String number, String path, int error)
            throws Exception {
        wasm("files", FILES, FILES_DATA, "arguments: {max: 3}", "keep: always");
        ToolFixture.write(folder, "tools/files/1.0.0/data/words.txt", "some words");
        List<Path> before = all(folder.resolve("tools"));
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("files", operation, number, path)
                    .input("in.txt", "input".getBytes(StandardCharsets.UTF_8)));

            assertThat(ToolFixture.result(record).get("exit_code").asInt())
                    .as(record.message() + fixture.output(record, "stderr"))
                    .isEqualTo(error);
            if (operation.equals("r") && error == 0) {
                assertThat(fixture.output(record, "stdout"))
                        .isEqualTo(
                                number.equals("3")
                                        ? "input"
                                        : Files.readString(folder.resolve("tools/files/1.0.0")
                                                .resolve(path)));
            }
            assertThat(ToolFixture.result(record).get("files").toString())
                    .isEqualTo(
                            operation.equals("w") && error == 0
                                    ? "[{\"path\":\"in.txt\",\"size\":5},{\"path\":\"out.txt\",\"size\":7}]"
                                    : "[{\"path\":\"in.txt\",\"size\":5}]");
        }
        assertThat(all(folder.resolve("tools"))).isEqualTo(before);
    }

    private static List<Path> all(Path folder) throws IOException {
        try (var paths = Files.walk(folder)) {
            return paths.sorted().toList();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"(loop (br 0))", "(call $sleep)"})
    void whatDoesNotEndIsEndedAfterItsTimeAndOnCancel(String body) throws Exception {
        String sleep = """
                (func $sleep
                  (i32.store (i32.const 116) (i32.const 1))
                  (i64.store (i32.const 124) (i64.const 3600000000000))
                  (drop (call $poll (i32.const 100) (i32.const 200) (i32.const 1) (i32.const 300))))
                """;
        wasm("brief", body, sleep, "timeout: 300ms");
        wasm("long", body, sleep);
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord brief = fixture.run(ToolRequest.tool("brief"));
            assertThat(brief.reason()).as(brief.message()).isEqualTo(Reason.EXECUTION_TIMEOUT);

            CommandHandle handle = fixture.submit(ToolRequest.tool("long"));
            Awaitility.await().until(() -> threads("wasm-long") == 1);
            fixture.manager.cancel(handle.id()).get(30, TimeUnit.SECONDS);
            CommandRecord cancelled = handle.completion().get(30, TimeUnit.SECONDS);
            assertThat(cancelled.reason()).isEqualTo(Reason.CANCELLED_WHILE_RUNNING);
            Awaitility.await().until(() -> threads("wasm-") == 0);
        }
    }

    private static long threads(String prefix) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith(prefix))
                .count();
    }

    @Test
    void aProgramGetsNoMoreMemoryThanItMay() throws Exception {
        wasm("hog", """
                (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
                (call $exit (memory.size))
                """, "", "limits: {memory: 2MiB}");
        wasm("reader", """
                (i32.store (i32.const 4) (i32.const 0x7fffffff))
                (call $exit (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 24)))
                """, "");
        wasm(
                "table",
                "(call $exit (i32.eq (table.grow $t (ref.null func) (i32.const 1000000)) (i32.const -1)))",
                "(table $t 1 funcref)");
        wasm("deep", "(call $deep)", "(func $deep (call $deep))");
        wasm("files", "(local $i i32) " + openAgain(), FILES_DATA, "limits: {open_files: 10}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            assertThat(exitCode(fixture, "hog")).isEqualTo(32);
            assertThat(exitCode(fixture, "reader")).isEqualTo(28);
            assertThat(exitCode(fixture, "table")).isEqualTo(1);
            assertThat(exitCode(fixture, "deep")).isEqualTo(134);
            assertThat(exitCode(fixture, "files")).isEqualTo(33 + 10);
        }
    }

    @Test
    void allThatItWritesAtOnceCanBeRead() throws Exception {
        wasm(
                "flood",
                "(drop (memory.grow (i32.const 63))) (call $put (i32.const 1) (i32.const 16) (i32.const 3000000))",
                "");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("flood"));
            assertThat(record.status()).as(record.message()).isEqualTo(CommandStatus.COMPLETED);
            assertThat(fixture.output(record, "stdout")).hasSize(3_000_000);
        }
    }

    /** Ends with the number of the error, and how often it went well. */
    private static String openAgain() {
        return """
                (loop $more
                  (i32.store (i32.const 32) (call $open (i32.const 3) (i32.const 1) (i32.const 40) (i32.const 4)
                    (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 28)))
                  (if (i32.eqz (i32.load (i32.const 32))) (then
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br $more))))
                (call $exit (i32.add (i32.load (i32.const 32)) (local.get $i)))
                """;
    }

    private static int exitCode(ToolFixture fixture, String tool) throws Exception {
        CommandRecord record = fixture.run(ToolRequest.tool(tool));
        assertThat(ToolFixture.result(record).has("exit_code"))
                .as(record.message())
                .isTrue();
        return ToolFixture.result(record).get("exit_code").asInt();
    }

    @Test
    void aProgramWhoseFolderGrowsTooMuchIsEnded() throws Exception {
        wasm("grow", """
                (drop (call $open (i32.const 3) (i32.const 1) (i32.const 40) (i32.const 4)
                  (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 28)))
                (drop (call $set_size (i32.load (i32.const 28)) (i64.const 5000)))
                (loop (br 0))
                """, FILES_DATA, "limits: {folder: 1KiB}");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord record = fixture.run(ToolRequest.tool("grow"));
            assertThat(record.reason()).isEqualTo(Reason.EXECUTOR_ERROR);
            assertThat(record.message()).contains("its folder has 5000 bytes; the most is 1024");
            Awaitility.await().until(() -> threads("wasm-grow") == 0);
        }
    }

    @Test
    void aProgramThatTrapsHasFailedAndSaysWhy() throws Exception {
        wasm("trap", "unreachable", "");
        wasm("fine", "nop", "");
        try (ToolFixture fixture = new ToolFixture(folder)) {
            CommandRecord trap = fixture.run(ToolRequest.tool("trap"));
            assertThat(trap.message()).isEqualTo("exit code 134");
            assertThat(fixture.output(trap, "stderr")).startsWith("trap: ").contains("unreachable");
            CommandRecord fine = fixture.run(ToolRequest.tool("fine"));
            assertThat(fine.reason()).as(fine.message()).isEqualTo(Reason.OK);
        }
    }

    @Test
    void whatCannotBeRunIsAProblemOfTheCatalogue() throws Exception {
        Path tool = folder.resolve("tools/tool/1.0.0");
        compile(tool, "(module (func (export \"_start\")))");
        assertProblem("wasm: [tool.wasm]", "");
        assertProblem("wasm: [tool.wasm]\ncommand: [ls]", "there should be a 'command'");
        assertProblem("description: x", "or 'wasm' instead");
        assertProblem("wasm: [tool.wasm]\nisolation: none", "'isolation' does not go with 'wasm'");
        assertProblem("command: [ls]\nisolation: wasm", "'isolation: wasm' is what tools have that have 'wasm'");
        assertProblem("wasm: [tool.wasm]\nlimits: {cpu: 1s}", "'cpu' does not go with 'wasm'");
        assertProblem("wasm: [other.wasm]", "line 1, column 8: 'other.wasm' should be a file in the tool's folder");
        assertProblem("wasm: [../tool.wasm]", "'../tool.wasm' must not contain '..'");
        assertProblem("wasm: [tool.yaml]", "'tool.yaml' cannot be run: it is no WebAssembly module");
        compile(tool, "(module (func (export \"run\")))");
        assertProblem("wasm: [tool.wasm]", "it has no function '_start'");
        compile(tool, "(module (import \"env\" \"f\" (func)) (func (export \"_start\")))");
        assertProblem(
                "wasm: [tool.wasm]", "it needs 'env.f', and there are only the functions of wasi_snapshot_preview1");
        compile(tool, "(module (memory 40) (func (export \"_start\")))");
        assertProblem(
                "wasm: [tool.wasm]\nlimits: {memory: 1MiB}",
                "it begins with 2621440 bytes of memory, and may have 1048576");
        String structure =
                "0061736d01000000" + "01060260" + "00005f00" + "03020100" + "070a01065f73746172740000" + "0a040102000b";
        Files.write(tool.resolve("tool.wasm"), HexFormat.of().parseHex(structure));
        assertProblem("wasm: [tool.wasm]", "it uses the garbage collector");
        String behindTheEnd = "0061736d01000000" + "010401600000" + "03020100" + "070a01065f73746172740000";
        for (String code : List.of("0a060104000b010b", "0a070105000b0b010b")) {
            Files.write(tool.resolve("tool.wasm"), HexFormat.of().parseHex(behindTheEnd + code));
            assertProblem("wasm: [tool.wasm]", "'tool.wasm' cannot be run: it is no WebAssembly module");
        }
    }

    private void assertProblem(String yaml, String problem) throws IOException {
        ToolFixture.write(folder, "tools/tool/1.0.0/tool.yaml", yaml + "\n");
        List<CatalogProblem> problems = ToolCatalog.open(folder).problems();
        if (problem.isEmpty()) {
            assertThat(problems).isEmpty();
        } else {
            assertThat(problems).singleElement().asString().contains(problem);
        }
    }

    /** Writes a tool, version 1.0.0. */
    private void wasm(String name, String body, String more, String... yaml) throws Exception {
        Path tool = folder.resolve("tools").resolve(name).resolve("1.0.0");
        compile(tool, "(module " + IMPORTS + more + "(func (export \"_start\") " + body + "))");
        ToolFixture.write(tool, "tool.yaml", "wasm: [tool.wasm]\n" + String.join("\n", yaml) + "\n");
    }

    private static void compile(Path tool, String text) throws Exception {
        ToolFixture.assemble(ToolFixture.write(tool, "tool.wat", text));
    }
}
