package io.github.commandway.eval;

import io.github.commandway.dispatch.Command;
import io.github.commandway.process.Pid;
import io.github.commandway.system.Handles;
import io.github.commandway.system.SystemService;
import io.github.commandway.system.Workers;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Runs what strangers wrote: expressions in the Common Expression Language, which always end, and WebAssembly modules, which are stopped when their command is cancelled. Neither can reach anything but what
 * it is given: no files, no network, no Java. Source, memory and the number of programs are limited.
 */
public final class EvalService implements SystemService {
    /** The id of {@link Compile}. */
    public static final int COMPILE = 170;
    /** The id of {@link Run}. */
    public static final int RUN = 171;
    /** The id of {@link Close}. */
    public static final int CLOSE = 172;

    /** The longest expression, in characters. */
    public static final int LONGEST_EXPRESSION = 16 * 1024;
    /** The largest module, in bytes. */
    public static final int LARGEST_MODULE = 16 * 1024 * 1024;

    private final Workers workers;
    private final int memoryPages;
    private final Handles<Program> programs;

    /**
     * @param workers compiles and runs; closed with this service. A module takes its own memory in each of them
     * @param memoryPages how much memory a module gets at most, in pages of 64 KiB; 1 or more
     * @param limit how many programs are kept at most
     */
    public EvalService(Workers workers, int memoryPages, int limit) {
        if (memoryPages < 1) {
            throw new IllegalArgumentException("a module gets at least one page, not " + memoryPages);
        }
        this.workers = workers;
        this.memoryPages = memoryPages;
        programs = new Handles<>("program", limit, program -> {});
    }

    @Override
    public String name() {
        return "eval";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(COMPILE, (context, command, tag, receiver) -> {
            Source source = ((Compile) command).source;
            workers.run(context, job -> compile(source), (program, error) -> {
                if (program instanceof Program compiled) {
                    programs.open(context, tag, receiver, compiled, id -> id);
                } else {
                    receiver.completeYield(tag, null, error);
                }
            });
        });
        registrar.register(RUN, (context, command, tag, receiver) -> {
            Run run = (Run) command;
            Program program = programs.get(run.program);
            workers.run(context, tag, receiver, job -> program.run(run));
        });
        registrar.register(
                CLOSE,
                (context, command, tag, receiver) ->
                        receiver.completeYield(tag, programs.close(((Close) command).program), null));
    }

    /** How many programs are kept. */
    public int active() {
        return programs.size();
    }

    @Override
    public void ended(Pid process) {
        programs.closeAll(process);
    }

    @Override
    public void close() {
        workers.close();
        programs.close();
    }

    private Program compile(Source source) throws Exception {
        return source instanceof Expression expression
                ? CelProgram.compile(expression)
                : WasmProgram.compile(((Module) source).bytes, memoryPages);
    }

    /** What can be compiled. */
    public sealed interface Source {}

    /**
     * An expression in the Common Expression Language.
     *
     * @param text up to {@link #LONGEST_EXPRESSION} characters
     * @param variables the names of what it gets
     */
    public record Expression(String text, Set<String> variables) implements Source {
        /** Copies what it gets. */
        public Expression {
            variables = Set.copyOf(variables);
        }
    }

    /**
     * A WebAssembly module, in binary form, without imports.
     *
     * @param bytes up to {@link #LARGEST_MODULE}; belong to the command until it has completed
     */
    @SuppressWarnings("ArrayRecordComponent")
    public record Module(byte[] bytes) implements Source {}

    /** Checks and prepares a program. Completes with its number, a Long; fails with what is wrong with it. */
    public record Compile(Source source) implements Command {
        @Override
        public int commandId() {
            return COMPILE;
        }
    }

    /**
     * Runs a program. An expression completes with its value: null, Boolean, Long, Double, String, byte[], Instant, Duration, or lists and maps of those. A function completes with the list of its results,
     * which are Integer, Long, Float or Double. Runs know nothing of each other.
     *
     * @param function the function to call; empty for an expression
     * @param arguments what the function gets
     * @param variables what the expression gets
     */
    public record Run(long program, String function, List<Number> arguments, Map<String, @Nullable Object> variables)
            implements Command {
        /** Copies what it gets. */
        public Run {
            arguments = List.copyOf(arguments);
            variables = Collections.unmodifiableMap(new LinkedHashMap<>(variables));
        }

        /** Evaluates an expression. */
        public static Run expression(long program, Map<String, @Nullable Object> variables) {
            return new Run(program, "", List.of(), variables);
        }

        /** Calls a function of a module. */
        public static Run function(long program, String function, Number... arguments) {
            return new Run(program, function, new ArrayList<>(List.of(arguments)), Map.of());
        }

        @Override
        public int commandId() {
            return RUN;
        }
    }

    /** Forgets a program. Completes with whether it was there. */
    public record Close(long program) implements Command {
        @Override
        public int commandId() {
            return CLOSE;
        }
    }
}
