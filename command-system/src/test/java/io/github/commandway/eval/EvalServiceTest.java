package io.github.commandway.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.github.commandway.dispatch.CancelCause;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Reason;
import io.github.commandway.eval.EvalService.Close;
import io.github.commandway.eval.EvalService.Compile;
import io.github.commandway.eval.EvalService.Expression;
import io.github.commandway.eval.EvalService.Module;
import io.github.commandway.eval.EvalService.Run;
import io.github.commandway.system.Workers;
import io.github.commandway.testing.HandlerDriver;
import io.github.commandway.testing.HandlerDriver.Call;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EvalServiceTest {
    private static final String HEAD = "0061736d01000000";
    /** (func (export "add") (param i32 i32) (result i32)) */
    private static final String ADD =
            HEAD + "0107016002" + "7f7f017f" + "03020100" + "070701036164640000" + "0a09010700200020016a0b";
    /** (func (export "loop") (loop (br 0))) */
    private static final String LOOP =
            HEAD + "010401600000" + "03020100" + "0708" + "01046c6f6f700000" + "0a0901070003400c000b0b";
    /** (memory 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))) */
    private static final String GROW = HEAD + "010601" + "60017f017f" + "03020100" + "05030100" + "01" + "0708"
            + "010467726f770000" + "0a08010600200040000b";
    /** (import "m" "f" (func)) */
    private static final String IMPORT = HEAD + "010401600000" + "0207" + "01016d01660000";
    /** (func (export "deep") (call 0)) */
    private static final String DEEP =
            HEAD + "010401600000" + "03020100" + "0708" + "0104646565700000" + "0a06010400" + "10000b";

    private final Workers workers = new Workers("eval", 2, 4);
    private final EvalService eval = new EvalService(workers, 4, 3);
    private final HandlerDriver driver = new HandlerDriver(eval);

    @AfterEach
    void everyCommandCompletedOnceAndNothingIsLeft() {
        eval.close();
        await().until(() -> workers.active() == 0);
        assertThat(eval.active()).isZero();
        driver.verify();
    }

    @Test
    void anExpressionIsCompiledOnceAndRunWithManyValues() {
        long program = compile("order.total > limit && order.items.all(i, i.size() < 3)", "order", "limit");
        Map<String, Object> order = Map.of("total", 10, "items", List.of("a", "bb"));
        assertThat(run(program, Map.of("order", order, "limit", 9L))).isEqualTo(true);
        assertThat(run(program, Map.of("order", order, "limit", 10))).isEqualTo(false);
        assertThat(get(new Close(program))).isEqualTo(true);
        assertThat(error(Run.expression(program, Map.of()))).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void valuesGoInAndComeOutAsJavaHasThem() {
        Map<String, @Nullable Object> values = new HashMap<>();
        values.put("n", null);
        values.put("f", 1.5f);
        values.put("b", new byte[] {1, 2});
        values.put("t", Instant.parse("2026-01-02T03:04:05Z"));
        values.put("d", Duration.ofSeconds(90));
        long program = compile("[n, f, b, t, d, 7u, {'a': [1, 'x']}, t + d]", "n", "f", "b", "t", "d");
        assertThat(run(program, values))
                .usingRecursiveComparison()
                .isEqualTo(Arrays.asList(
                        null,
                        1.5,
                        new byte[] {1, 2},
                        Instant.parse("2026-01-02T03:04:05Z"),
                        Duration.ofSeconds(90),
                        BigInteger.valueOf(7),
                        Map.of("a", List.of(1L, "x")),
                        Instant.parse("2026-01-02T03:05:35Z")));
        assertThat(error(Run.expression(program, Map.of("n", new Object()))))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"1 +", "unknown", "java.lang.System.exit(1)", "''.getClass()", "1 + 'a'"})
    void whatIsNoExpressionIsNotCompiled(String text) {
        assertThat(error(new Compile(new Expression(text, Set.of())))).isNotNull();
        assertThat(eval.active()).isZero();
    }

    @Test
    void anExpressionThatIsTooLongTooDeepOrTakesTooLongFails() {
        assertThat(error(new Compile(new Expression("1" + "+1".repeat(EvalService.LONGEST_EXPRESSION), Set.of()))))
                .isNotNull();
        assertThat(error(new Compile(new Expression("(".repeat(500) + "1" + ")".repeat(500), Set.of()))))
                .isNotNull();
        long program = compile("l.all(a, l.all(b, l.all(c, l.all(d, true))))", "l");
        List<Integer> hundred = IntStream.range(0, 100).boxed().toList();
        assertThat(error(Run.expression(program, Map.of("l", hundred)))).hasMessageContaining("teration");
        long division = compile("1 / x", "x");
        assertThat(error(Run.expression(division, Map.of("x", 0)))).isNotNull();
    }

    @ParameterizedTest
    @CsvSource({"2, 3, 5", "-1, 1, 0", "2147483647, 1, -2147483648"})
    void aFunctionOfAModuleIsCalled(int first, int second, int sum) {
        long program = compile(ADD);
        assertThat(get(Run.function(program, "add", first, second))).isEqualTo(List.of(sum));
        assertThat(error(Run.function(program, "add", 1))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(Run.function(program, "other"))).isInstanceOf(NoSuchElementException.class);
    }

    @Test
    void aModuleThatDoesNotEndIsStopped() {
        long program = compile(LOOP);
        Call call = driver.call(Run.function(program, "loop"));
        await().until(() -> workers.active() == 1);
        call.cancel(CancelCause.DEADLINE);
        await().until(call::isDone);
        assertThat(call.reason()).isEqualTo(Reason.EXECUTION_TIMEOUT);
        assertThat(workers.active()).isZero();
    }

    @Test
    void aModuleEndsWithTheService() {
        Call call = driver.call(Run.function(compile(LOOP), "loop"));
        await().until(() -> workers.active() == 1);
        eval.close();
        await().until(call::isDone);
        assertThat(call.reason()).isEqualTo(Reason.SHUTDOWN);
    }

    @Test
    void aModuleGetsNoMoreMemoryThanMayAndEachRunItsOwn() {
        long program = compile(GROW);
        assertThat(get(Run.function(program, "grow", 3))).isEqualTo(List.of(1));
        assertThat(get(Run.function(program, "grow", 3))).isEqualTo(List.of(1));
        assertThat(get(Run.function(program, "grow", 4))).isEqualTo(List.of(-1));
        long greedy = compile(GROW.replace("0503010001", "0503010005"));
        assertThat(error(Run.function(greedy, "grow", 1))).hasMessageContaining("5 pages");
    }

    @Test
    void aModuleThatCallsItselfForEverFails() {
        assertThat(error(Run.function(compile(DEEP), "deep"))).isNotNull();
    }

    @Test
    void aModuleThatWantsSomethingOrIsNoneIsNotCompiled() {
        assertThat(error(module(IMPORT))).isInstanceOf(IllegalArgumentException.class);
        assertThat(error(new Compile(new Module(new byte[0])))).isNotNull();
        assertThat(error(new Compile(new Module(new byte[] {1, 2, 3, 4, 5, 6, 7, 8}))))
                .isNotNull();
        byte[] whole = HexFormat.of().parseHex(ADD);
        for (int length = 9; length < whole.length - 1; length++) {
            Call call = driver.call(new Compile(new Module(Arrays.copyOf(whole, length))));
            await().until(call::isDone);
            eval.ended(driver.process(1).pid());
        }
    }

    @Test
    void thereAreNoMoreProgramsThanMayAndTheyEndWithTheirProcess() {
        for (int i = 0; i < 3; i++) {
            compile("1");
        }
        assertThat(error(new Compile(new Expression("1", Set.of())))).isInstanceOf(RejectedExecutionException.class);
        eval.ended(driver.process(1).pid());
        assertThat(eval.active()).isZero();
    }

    private long compile(String expression, String... variables) {
        return expression.startsWith(HEAD)
                ? (Long) Objects.requireNonNull(get(module(expression)))
                : (Long) Objects.requireNonNull(get(new Compile(new Expression(expression, Set.of(variables)))));
    }

    private static Compile module(String hex) {
        return new Compile(new Module(HexFormat.of().parseHex(hex)));
    }

    private @Nullable Object run(long program, Map<String, @Nullable Object> variables) {
        return get(Run.expression(program, variables));
    }

    private @Nullable Object get(Command command) {
        return driver.call(command).outcome().orTimeout(20, TimeUnit.SECONDS).join();
    }

    private Throwable error(Command command) {
        Call call = driver.call(command);
        await().until(call::isDone);
        return call.error();
    }
}
