package io.github.commandway.eval;

import com.google.common.primitives.UnsignedLong;
import dev.cel.common.CelOptions;
import dev.cel.common.types.SimpleType;
import dev.cel.common.values.CelByteString;
import dev.cel.common.values.NullValue;
import dev.cel.compiler.CelCompilerBuilder;
import dev.cel.compiler.CelCompilerFactory;
import dev.cel.parser.CelStandardMacro;
import dev.cel.runtime.CelRuntime;
import dev.cel.runtime.CelRuntimeFactory;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An expression. */
final class CelProgram implements Program {
    private static final int MOST_ITERATIONS = 10_000;
    private static final int DEEPEST = 32;
    private static final CelOptions OPTIONS = CelOptions.current()
            .maxExpressionCodePointSize(EvalService.LONGEST_EXPRESSION)
            .maxParseRecursionDepth(DEEPEST)
            .comprehensionMaxIterations(MOST_ITERATIONS)
            .evaluateCanonicalTypesToNativeValues(true)
            .build();

    private final CelRuntime.Program program;

    private CelProgram(CelRuntime.Program program) {
        this.program = program;
    }

    static CelProgram compile(EvalService.Expression source) throws Exception {
        CelCompilerBuilder compiler = CelCompilerFactory.standardCelCompilerBuilder()
                .setOptions(OPTIONS)
                .setStandardMacros(CelStandardMacro.STANDARD_MACROS);
        source.variables().forEach(name -> compiler.addVar(name, SimpleType.DYN));
        return new CelProgram(CelRuntimeFactory.standardCelRuntimeBuilder()
                .setOptions(OPTIONS)
                .build()
                .createProgram(compiler.build().compile(source.text()).getAst()));
    }

    @Override
    public @Nullable Object run(EvalService.Run run) throws Exception {
        Map<String, Object> variables = new LinkedHashMap<>();
        run.variables().forEach((name, value) -> variables.put(name, toCel(value)));
        return fromCel(program.eval(variables));
    }

    private static Object toCel(@Nullable Object value) {
        if (value == null) {
            return NullValue.NULL_VALUE;
        }
        if (value instanceof Integer || value instanceof Short || value instanceof Byte) {
            return ((Number) value).longValue();
        }
        if (value instanceof Float number) {
            return number.doubleValue();
        }
        if (value instanceof byte[] bytes) {
            return CelByteString.of(bytes);
        }
        if (value instanceof List<?> list) {
            List<Object> converted = new ArrayList<>();
            list.forEach(item -> converted.add(toCel(item)));
            return converted;
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> converted = new LinkedHashMap<>();
            map.forEach((key, item) -> converted.put(toCel(key), toCel(item)));
            return converted;
        }
        if (value instanceof Boolean
                || value instanceof Long
                || value instanceof Double
                || value instanceof String
                || value instanceof Instant
                || value instanceof Duration) {
            return value;
        }
        throw new IllegalArgumentException("an expression knows no values of " + value.getClass());
    }

    private static @Nullable Object fromCel(@Nullable Object value) {
        if (value == null || value instanceof NullValue) {
            return null;
        }
        if (value instanceof UnsignedLong number) {
            return number.bigIntegerValue();
        }
        if (value instanceof CelByteString bytes) {
            return bytes.toByteArray();
        }
        if (value instanceof List<?> list) {
            List<@Nullable Object> converted = new ArrayList<>();
            list.forEach(item -> converted.add(fromCel(item)));
            return Collections.unmodifiableList(converted);
        }
        if (value instanceof Map<?, ?> map) {
            Map<@Nullable Object, @Nullable Object> converted = new LinkedHashMap<>();
            map.forEach((key, item) -> converted.put(fromCel(key), fromCel(item)));
            return Collections.unmodifiableMap(converted);
        }
        return value;
    }
}
