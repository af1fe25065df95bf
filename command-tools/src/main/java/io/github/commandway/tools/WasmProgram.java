package io.github.commandway.tools;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import run.endive.runtime.ByteArrayMemory;
import run.endive.runtime.HostFunction;
import run.endive.runtime.ImportValues;
import run.endive.runtime.Instance;
import run.endive.runtime.TableInstance;
import run.endive.wasm.Parser;
import run.endive.wasm.WasmModule;
import run.endive.wasm.types.ExternalType;
import run.endive.wasm.types.Import;
import run.endive.wasm.types.MemoryLimits;
import run.endive.wasm.types.Table;
import run.endive.wasm.types.TypeSection;

/** A WebAssembly module that is a program: it begins at {@code _start} and needs nothing but WASI preview 1. What it can make grow is limited. */
final class WasmProgram {
    static final String WASI = "wasi_snapshot_preview1";

    private static final String START = "_start";
    private static final long MAX_BYTES = 64 << 20;
    private static final long PAGE = 64 << 10;
    private static final long DEFAULT_MEMORY = 128 << 20;
    private static final long MAX_TABLE_ENTRIES = 1_000_000;

    private final WasmModule module;
    private final int maxPages;

    private WasmProgram(WasmModule module, int maxPages) {
        this.module = module;
        this.maxPages = maxPages;
    }

    /**
     * Reads and checks a module.
     *
     * @throws IllegalArgumentException if it is none, or cannot be run with these limits; the message says why
     */
    @SuppressWarnings("IllegalCatch")
    static WasmProgram read(Path file, Tool.Limits limits) throws IOException {
        if (Files.size(file) > MAX_BYTES) {
            throw new IllegalArgumentException("it has " + Files.size(file) + " bytes; the most is " + MAX_BYTES);
        }
        WasmModule module;
        try {
            module = Parser.parse(Files.readAllBytes(file));
        } catch (RuntimeException | StackOverflowError e) {
            // the parser is not prepared for everything
            throw new IllegalArgumentException("it is no WebAssembly module: " + e.getMessage(), e);
        }
        long memory = limits.memory() == null ? DEFAULT_MEMORY : limits.memory();
        WasmProgram program = new WasmProgram(module, (int) Math.min(MemoryLimits.MAX_PAGES / 2, memory / PAGE));
        program.check();
        return program;
    }

    private void check() {
        if (!exportsStart()) {
            throw new IllegalArgumentException("it has no function '" + START + "', so it is a library and no program");
        }
        for (int i = 0; i < module.importSection().importCount(); i++) {
            Import wanted = module.importSection().getImport(i);
            if (!wanted.module().equals(WASI) || wanted.importType() != ExternalType.FUNCTION) {
                throw new IllegalArgumentException("it needs '" + wanted.module() + "." + wanted.name()
                        + "', and there are only the functions of " + WASI);
            }
        }
        TypeSection types = module.typeSection();
        for (int i = 0; i < types.subTypeCount(); i++) {
            if (types.getSubType(i).compType().funcType() == null) {
                throw new IllegalArgumentException(
                        "it uses the garbage collector, whose memory cannot be limited here");
            }
        }
        module.memorySection().ifPresent(section -> {
            if (section.memoryCount() > 1) {
                throw new IllegalArgumentException("it has more than one memory");
            }
            for (int i = 0; i < section.memoryCount(); i++) {
                MemoryLimits wanted = section.getMemory(i).limits();
                if (wanted.shared() || wanted.initialPages() > maxPages) {
                    throw new IllegalArgumentException(
                            wanted.shared()
                                    ? "it has a memory that threads share, and there are no threads"
                                    : "it begins with " + wanted.initialPages() * PAGE
                                            + " bytes of memory, and may have " + maxPages * PAGE);
                }
            }
        });
    }

    private boolean exportsStart() {
        for (int i = 0; i < module.exportSection().exportCount(); i++) {
            if (module.exportSection().getExport(i).name().equals(START)) {
                return module.exportSection().getExport(i).exportType() == ExternalType.FUNCTION;
            }
        }
        return false;
    }

    /** Runs it to its end in the calling thread, with an instance of its own. An interrupt ends it. */
    void run(HostFunction[] functions) {
        AtomicLong entries = new AtomicLong();
        // to build it is to run it
        Instance.builder(module)
                .withMemoryFactory(wanted -> new ByteArrayMemory(
                        new MemoryLimits(wanted.initialPages(), Math.min(maxPages, wanted.maximumPages()))))
                .withTableFactory((table, value) -> new LimitedTable(table, value, entries))
                .withImportValues(ImportValues.builder().addFunction(functions).build())
                .build()
                .close();
    }

    /** A table that does not grow for ever. */
    private static final class LimitedTable extends TableInstance {
        private final AtomicLong entries;

        LimitedTable(Table table, int value, AtomicLong entries) {
            super(checked(table, entries), value);
            this.entries = entries;
        }

        private static Table checked(Table table, AtomicLong entries) {
            if (entries.addAndGet(table.limits().min()) > MAX_TABLE_ENTRIES) {
                throw new IllegalArgumentException(
                        "its tables have more than " + MAX_TABLE_ENTRIES + " entries together");
            }
            return table;
        }

        @Override
        public int grow(int size, int value, Instance instance) {
            return reserve(size) ? super.grow(size, value, instance) : -1;
        }

        @Override
        public int growWithRef(int size, Object value, Instance instance) {
            return reserve(size) ? super.growWithRef(size, value, instance) : -1;
        }

        private boolean reserve(int size) {
            return size >= 0 && entries.addAndGet(size) <= MAX_TABLE_ENTRIES;
        }
    }
}
