package io.github.commandway.eval;

import io.github.commandway.eval.EvalService.Run;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import run.endive.runtime.ByteArrayMemory;
import run.endive.runtime.Instance;
import run.endive.wasm.Parser;
import run.endive.wasm.WasmModule;
import run.endive.wasm.types.ExternalType;
import run.endive.wasm.types.FunctionType;
import run.endive.wasm.types.MemoryLimits;
import run.endive.wasm.types.ValType;

/** A module, of which each run makes an instance of its own. */
final class WasmProgram implements Program {
    private final WasmModule module;
    private final int pages;

    private WasmProgram(WasmModule module, int pages) {
        this.module = module;
        this.pages = pages;
    }

    static WasmProgram compile(byte[] bytes, int pages) {
        if (bytes.length > EvalService.LARGEST_MODULE) {
            throw new IllegalArgumentException(
                    "a module has at most " + EvalService.LARGEST_MODULE + " bytes, not " + bytes.length);
        }
        WasmModule module = Parser.parse(bytes);
        if (module.importSection().importCount() > 0) {
            throw new IllegalArgumentException("the module wants to import something, and there is nothing to import");
        }
        return new WasmProgram(module, pages);
    }

    @Override
    public List<Number> run(Run run) {
        if (!exportsFunction(run.function())) {
            throw new NoSuchElementException("the module exports no function '" + run.function() + "'");
        }
        try (Instance instance = Instance.builder(module)
                .withMemoryFactory(this::memory)
                .withStart(false)
                .build()) {
            FunctionType type = instance.exportType(run.function());
            return results(type, instance.export(run.function()).apply(arguments(type, run)));
        }
    }

    private boolean exportsFunction(String name) {
        for (int i = 0; i < module.exportSection().exportCount(); i++) {
            if (module.exportSection().getExport(i).name().equals(name)) {
                return module.exportSection().getExport(i).exportType() == ExternalType.FUNCTION;
            }
        }
        return false;
    }

    private ByteArrayMemory memory(MemoryLimits wanted) {
        if (wanted.initialPages() > pages) {
            throw new IllegalArgumentException(
                    "the module wants " + wanted.initialPages() + " pages of memory, and may have " + pages);
        }
        return new ByteArrayMemory(
                new MemoryLimits(wanted.initialPages(), Math.min(pages, wanted.maximumPages()), wanted.shared()));
    }

    private static long[] arguments(FunctionType type, Run run) {
        List<ValType> wanted = type.params();
        if (wanted.size() != run.arguments().size()) {
            throw new IllegalArgumentException("function '" + run.function() + "' takes " + wanted.size()
                    + " arguments, not " + run.arguments().size());
        }
        long[] raw = new long[wanted.size()];
        for (int i = 0; i < raw.length; i++) {
            Number argument = run.arguments().get(i);
            ValType one = wanted.get(i);
            if (one.equals(ValType.F32)) {
                raw[i] = Float.floatToRawIntBits(argument.floatValue());
            } else if (one.equals(ValType.F64)) {
                raw[i] = Double.doubleToRawLongBits(argument.doubleValue());
            } else if (one.equals(ValType.I32)) {
                raw[i] = argument.intValue();
            } else if (one.equals(ValType.I64)) {
                raw[i] = argument.longValue();
            } else {
                throw new IllegalArgumentException("function '" + run.function() + "' takes what is no number: " + one);
            }
        }
        return raw;
    }

    private static List<Number> results(FunctionType type, long[] raw) {
        List<Number> results = new ArrayList<>();
        for (int i = 0; i < type.returns().size(); i++) {
            ValType one = type.returns().get(i);
            if (one.equals(ValType.F32)) {
                results.add(Float.intBitsToFloat((int) raw[i]));
            } else if (one.equals(ValType.F64)) {
                results.add(Double.longBitsToDouble(raw[i]));
            } else if (one.equals(ValType.I32)) {
                results.add((int) raw[i]);
            } else if (one.equals(ValType.I64)) {
                results.add(raw[i]);
            } else {
                throw new IllegalArgumentException("the function gives what is no number: " + one);
            }
        }
        return List.copyOf(results);
    }
}
