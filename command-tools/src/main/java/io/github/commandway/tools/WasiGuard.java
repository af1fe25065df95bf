package io.github.commandway.tools;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import run.endive.runtime.HostFunction;
import run.endive.runtime.Instance;
import run.endive.runtime.Memory;

/**
 * Stands between a WebAssembly program and WASI, and refuses what the library lets through: changes in the tool's folder, links, paths that lead out on some system, more open files than may be,
 * and reads that are larger than the program's memory. For one run.
 */
final class WasiGuard {
    /** The number of the tool's folder: it comes behind standard input, output and error, and the run's folder. */
    private static final int TOOL_FOLDER = 4;

    private static final int SUCCESS = 0;
    private static final int INVALID = 28;
    private static final int TOO_MANY_FILES = 33;
    private static final int NOT_SUPPORTED = 58;
    private static final int NOT_PERMITTED = 63;
    private static final int READ_ONLY = 69;

    private static final int CREATE = 1;
    private static final int TRUNCATE = 1 << 3;
    private static final int APPEND = 1;
    private static final long RIGHT_TO_WRITE = 1 << 6;
    private static final int MAX_BUFFERS = 1_024;
    private static final int BUFFER = 8;

    /** The functions that take paths, with the arguments that say where each path is; its length follows. */
    private static final Map<String, List<Integer>> PATHS = Map.of(
            "path_create_directory", List.of(1),
            "path_filestat_get", List.of(2),
            "path_filestat_set_times", List.of(2),
            "path_open", List.of(2),
            "path_readlink", List.of(1),
            "path_remove_directory", List.of(1),
            "path_rename", List.of(1, 4),
            "path_unlink_file", List.of(1));

    /** The functions that change what is in a folder, or the folder or file itself, with the arguments that say which. */
    private static final Map<String, List<Integer>> CHANGES = Map.of(
            "fd_allocate", List.of(0),
            "fd_filestat_set_size", List.of(0),
            "fd_filestat_set_times", List.of(0),
            "path_create_directory", List.of(0),
            "path_filestat_set_times", List.of(0),
            "path_remove_directory", List.of(0),
            "path_rename", List.of(0, 3),
            "path_unlink_file", List.of(0));

    private static final Set<String> READS_AND_WRITES = Set.of("fd_read", "fd_pread", "fd_write", "fd_pwrite");

    private final int maxOpen;
    private final Set<Integer> open = new HashSet<>();
    private final Set<Integer> readOnly = new HashSet<>(Set.of(TOOL_FOLDER));

    /** @param maxOpen how many files and folders may be open beside those that it is given */
    WasiGuard(int maxOpen) {
        this.maxOpen = maxOpen;
    }

    HostFunction[] around(HostFunction[] functions) {
        return Arrays.stream(functions)
                .map(function -> new HostFunction(
                        function.module(), function.name(), function.functionType(), (instance, args) -> {
                            int refused = check(function.name(), instance, args);
                            if (refused != SUCCESS) {
                                return new long[] {refused};
                            }
                            long[] result = function.handle().apply(instance, args);
                            if (result != null && result.length == 1 && result[0] == SUCCESS) {
                                note(function.name(), instance, args);
                            }
                            return result;
                        }))
                .toArray(HostFunction[]::new);
    }

    private int check(String function, Instance instance, long[] args) {
        if (function.equals("path_link") || function.equals("path_symlink")) {
            return NOT_SUPPORTED;
        }
        for (int folder : CHANGES.getOrDefault(function, List.of())) {
            if (readOnly.contains((int) args[folder])) {
                return READ_ONLY;
            }
        }
        for (int path : PATHS.getOrDefault(function, List.of())) {
            byte[] text = instance.memory().readBytes((int) args[path], (int) args[path + 1]);
            if (leadsOut(new String(text, StandardCharsets.UTF_8))) {
                return NOT_PERMITTED;
            }
        }
        if (READS_AND_WRITES.contains(function)) {
            return checkBuffers(instance.memory(), (int) args[1], (int) args[2]);
        }
        return function.equals("path_open") ? checkOpen(args) : SUCCESS;
    }

    private static boolean leadsOut(String path) {
        int depth = 0;
        for (String part : path.split("[/\\\\]", -1)) {
            if (part.equals("..")) {
                depth--;
            } else if (!part.isEmpty() && !part.equals(".")) {
                depth++;
            }
            if (depth < 0) {
                return true;
            }
        }
        return Launcher.isWindows() && path.indexOf(':') >= 0;
    }

    /** The library makes room for what is asked for before it looks whether that fits. */
    private static int checkBuffers(Memory memory, int buffers, int count) {
        if (count < 0 || count > MAX_BUFFERS) {
            return INVALID;
        }
        long size = (long) memory.pages() * Memory.PAGE_SIZE;
        long sum = 0;
        for (int i = 0; i < count; i++) {
            int length = memory.readInt(buffers + i * BUFFER + BUFFER / 2);
            sum += length;
            if (length < 0 || sum > size) {
                return INVALID;
            }
        }
        return SUCCESS;
    }

    private int checkOpen(long[] args) {
        if (open.size() >= maxOpen) {
            return TOO_MANY_FILES;
        }
        boolean writes =
                (args[4] & (CREATE | TRUNCATE)) != 0 || (args[5] & RIGHT_TO_WRITE) != 0 || (args[7] & APPEND) != 0;
        return writes && readOnly.contains((int) args[0]) ? READ_ONLY : SUCCESS;
    }

    private void note(String function, Instance instance, long[] args) {
        switch (function) {
            case "path_open" -> {
                int opened = instance.memory().readInt((int) args[8]);
                open.add(opened);
                if (readOnly.contains((int) args[0])) {
                    readOnly.add(opened);
                }
            }
            case "fd_close" -> forget((int) args[0]);
            case "fd_renumber" -> {
                int from = (int) args[0];
                int to = (int) args[1];
                if (from == to) {
                    return;
                }
                boolean wasOpen = open.contains(from);
                boolean wasReadOnly = readOnly.contains(from);
                forget(from);
                forget(to);
                if (wasOpen) {
                    open.add(to);
                }
                if (wasReadOnly) {
                    readOnly.add(to);
                }
            }
            default -> {
                // it opens and closes nothing
            }
        }
    }

    private void forget(int number) {
        open.remove(number);
        readOnly.remove(number);
    }
}
