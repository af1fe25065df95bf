package io.github.commandway.agent;

import io.github.commandway.dispatch.CommandException;
import io.github.commandway.dispatch.Reason;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.InputCoercionException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.PropertyNamingStrategies;
import tools.jackson.databind.cfg.CoercionAction;
import tools.jackson.databind.cfg.CoercionInputShape;
import tools.jackson.databind.cfg.MutableCoercionConfig;
import tools.jackson.databind.exc.InvalidDefinitionException;
import tools.jackson.databind.exc.MismatchedInputException;
import tools.jackson.databind.exc.UnrecognizedPropertyException;
import tools.jackson.databind.exc.ValueInstantiationException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.type.LogicalType;

/** Parameters and results as JSON. Its error messages name fields but do not repeat values, which may be secret. Thread-safe. */
final class Json {
    private static final byte[] EMPTY = {};
    private static final byte[] EMPTY_OBJECT = "{}".getBytes(StandardCharsets.UTF_8);

    /** Of characters: a payload of the largest size may be one string. */
    private static final int MAX_STRING = 64 << 20;

    private final JsonMapper mapper = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxStringLength(MAX_STRING)
                            .build())
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
            .disable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .withCoercionConfig(LogicalType.Textual, Json::failOnScalars)
            .build();

    private static void failOnScalars(MutableCoercionConfig config) {
        config.setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                .setCoercion(CoercionInputShape.Float, CoercionAction.Fail)
                .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail);
    }

    <P> P read(byte[] payload, Class<P> type) throws CommandException {
        try {
            P params = mapper.readValue(payload.length == 0 ? EMPTY_OBJECT : payload, type);
            // JSON null: nothing was given, as with an empty payload.
            return params != null ? params : mapper.readValue(EMPTY_OBJECT, type);
        } catch (InvalidDefinitionException e) {
            throw new IllegalStateException(
                    "parameters cannot be read as " + type.getName()
                            + "; is its package open to tools.jackson.databind?",
                    e);
        } catch (JacksonException e) {
            throw new CommandException(Reason.REJECTED_BY_AGENT, "invalid parameters: " + explain(e));
        }
    }

    byte[] write(@Nullable Object result) {
        if (result == null) {
            return EMPTY;
        }
        return result instanceof byte[] bytes ? bytes : mapper.writeValueAsBytes(result);
    }

    /** Checks that the payload is one JSON object, or empty. Builds nothing from it. */
    void requireObject(byte[] payload) throws CommandException {
        if (payload.length == 0) {
            return;
        }
        try (JsonParser parser = mapper.createParser(payload)) {
            JsonToken first = parser.nextToken();
            if (first != JsonToken.START_OBJECT) {
                throw new CommandException(Reason.REJECTED_BY_AGENT, "invalid payload: a JSON object is expected");
            }
            parser.skipChildren();
            if (parser.nextToken() != null) {
                throw new CommandException(
                        Reason.REJECTED_BY_AGENT, "invalid payload: there is something after the JSON object");
            }
        } catch (JacksonException e) {
            throw new CommandException(Reason.REJECTED_BY_AGENT, "invalid payload: " + explain(e));
        }
    }

    private static String explain(JacksonException e) {
        String field = fieldOf(e);
        if (e instanceof UnrecognizedPropertyException unknown) {
            Collection<Object> known = unknown.getKnownPropertyIds();
            return "unknown field '" + field + "'"
                    + (known == null || known.isEmpty()
                            ? "; no fields are expected"
                            : "; known are "
                                    + known.stream()
                                            .map(String::valueOf)
                                            .sorted()
                                            .collect(Collectors.joining(", ")));
        }
        if (e instanceof ValueInstantiationException && e.getCause() != null) {
            return (field.isEmpty() ? "" : "field '" + field + "': ")
                    + e.getCause().getMessage();
        }
        // Jackson tells these two apart from others by the text only.
        String text = String.valueOf(e.getOriginalMessage());
        if (text.startsWith("Trailing token")) {
            return "there is something after the JSON value";
        }
        if (text.startsWith("Duplicate")) {
            return "a field is there twice" + where(e);
        }
        if (e instanceof MismatchedInputException mismatch) {
            String expected = mismatch.getTargetType() == null ? "another type" : nameOf(mismatch.getTargetType());
            return (field.isEmpty() ? "the payload" : "field '" + field + "'") + " must be " + expected;
        }
        String prefix = field.isEmpty() ? "" : "field '" + field + "': ";
        if (e instanceof InputCoercionException) {
            return prefix + "a number is out of range" + where(e);
        }
        return prefix + "not well-formed JSON" + where(e);
    }

    private static String where(JacksonException e) {
        TokenStreamLocation location = e.getLocation();
        return location == null ? "" : " at line " + location.getLineNr() + ", column " + location.getColumnNr();
    }

    private static String fieldOf(JacksonException e) {
        StringBuilder field = new StringBuilder();
        for (JacksonException.Reference reference : e.getPath()) {
            if (reference.getPropertyName() == null) {
                field.append('[').append(reference.getIndex()).append(']');
            } else {
                field.append(field.isEmpty() ? "" : ".").append(reference.getPropertyName());
            }
        }
        return field.toString();
    }

    private static String nameOf(Class<?> type) {
        if (type == int.class
                || type == Integer.class
                || type == long.class
                || type == Long.class
                || type == short.class
                || type == Short.class) {
            return "an integer";
        }
        if (type == boolean.class || type == Boolean.class) {
            return "true or false";
        }
        if (type == double.class || type == Double.class || type == float.class || type == Float.class) {
            return "a number";
        }
        if (type == String.class) {
            return "a string";
        }
        if (type.isArray() || Collection.class.isAssignableFrom(type)) {
            return "an array";
        }
        if (type.isEnum()) {
            return "one of "
                    + Arrays.stream(type.getEnumConstants())
                            .map(String::valueOf)
                            .collect(Collectors.joining(", "));
        }
        return "an object";
    }
}
