package io.github.commandway.http;

import io.github.commandway.manager.CommandRequest;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.json.JsonFactory;

/**
 * Reads bodies and queries by their {@link Field}s, and refuses whatever is not exactly right: unknown and repeated names, wrong types,
 * malformed JSON. The refusal names the field, the place, and what would be right.
 */
final class RequestReader {
    private static final int MAX_NAME = 1_024;
    private static final int SHOWN = 40;
    private static final Instant LEAST_TIME = Instant.EPOCH;
    private static final Instant MOST_TIME = Instant.parse("9999-12-31T23:59:59Z");

    private final JsonFactory json;

    RequestReader(int maxBodyBytes, int maxDepth) {
        json = JsonFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(maxDepth)
                        .maxStringLength(maxBodyBytes)
                        .maxNameLength(MAX_NAME)
                        .build())
                .build();
    }

    /** Reads a body; no bytes at all count as an empty object if nothing is required. */
    Values readBody(byte[] body, List<Field> fields) {
        boolean mayBeEmpty = fields.stream().noneMatch(Field::required);
        if (body.length == 0 && mayBeEmpty) {
            return new Values(Map.of());
        }
        String text = decode(body);
        try (JsonParser parser = json.createParser(ObjectReadContext.empty(), text)) {
            try {
                return readWhole(parser, text, fields);
            } catch (StreamConstraintsException e) {
                throw problem(ProblemType.JSON_LIMIT, parser, e.getOriginalMessage());
            } catch (JacksonException e) {
                throw problem(
                        ProblemType.MALFORMED_JSON,
                        parser,
                        "the body is not valid JSON: " + e.getOriginalMessage(),
                        e.getLocation());
            }
        }
    }

    private static String decode(byte[] body) {
        String text = Json.utf8(body);
        if (text == null) {
            throw new Problem(ProblemType.MALFORMED_JSON, "the body is not valid UTF-8, which JSON must be");
        }
        return text;
    }

    private static Values readWhole(JsonParser parser, String text, List<Field> fields) {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw problem(ProblemType.INVALID_FIELD, parser, "the body must be a JSON object with " + namesOf(fields));
        }
        Map<String, Object> values = readMembers(parser, text, fields);
        if (parser.nextToken() != null) {
            throw problem(ProblemType.MALFORMED_JSON, parser, "something follows the end of the JSON object");
        }
        requireAll(fields, values, "");
        return new Values(values);
    }

    private static Map<String, Object> readMembers(JsonParser parser, String text, List<Field> fields) {
        Map<String, Object> values = new HashMap<>();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            Field field = find(fields, parser.currentName());
            if (field == null) {
                throw problem(
                        ProblemType.UNKNOWN_FIELD,
                        parser,
                        "there is no field '" + shorten(parser.currentName()) + "'; known are " + namesOf(fields));
            }
            parser.nextToken();
            values.put(field.name(), readValue(parser, text, field));
        }
        return values;
    }

    private static void requireAll(List<Field> fields, Map<String, Object> values, String where) {
        for (Field field : fields) {
            if (field.required() && !values.containsKey(field.name())) {
                throw new Problem(ProblemType.MISSING_FIELD, "'" + field.name() + "' is required: " + field.expected())
                        .at(where + "/" + field.name());
            }
        }
    }

    private static Object readValue(JsonParser parser, String text, Field field) {
        return switch (field.kind()) {
            case TEXT, AGENT_ID -> readText(parser, field);
            case AGENT_IDS -> readAgentIds(parser, field);
            case TIMEOUT, TTL -> readDuration(parser, field);
            case FLAG -> readFlag(parser, field);
            case REFERENCE -> readReference(parser, field);
            case PRIORITY -> readNumber(parser, field, -CommandRequest.MAX_PRIORITY, CommandRequest.MAX_PRIORITY);
            case RETRIES -> readNumber(parser, field, 0, Field.MAX_RETRIES);
            case TIME -> readTime(parser, field);
            case OBJECT -> readObject(parser, text, field);
            case ANY -> readAny(parser, text);
            case LIMIT, SHORT_LIMIT, SEQUENCE -> throw new IllegalStateException(field.kind() + " is only for queries");
        };
    }

    private static String readText(JsonParser parser, Field field) {
        if (parser.currentToken() != JsonToken.VALUE_STRING || !field.acceptsText(parser.getString())) {
            throw wrong(parser, field);
        }
        return parser.getString();
    }

    private static List<String> readAgentIds(JsonParser parser, Field field) {
        if (parser.currentToken() != JsonToken.START_ARRAY) {
            throw wrong(parser, field);
        }
        Set<String> ids = new LinkedHashSet<>();
        Field item = Field.required(field.name(), Field.Kind.AGENT_ID, "");
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            if (ids.size() >= Field.MAX_CLIENT_IDS) {
                throw problem(
                        ProblemType.INVALID_FIELD,
                        parser,
                        "at most " + Field.MAX_CLIENT_IDS + " client ids are allowed");
            }
            String id = readText(parser, item);
            if (!ids.add(id)) {
                throw problem(
                        ProblemType.INVALID_FIELD,
                        parser,
                        "client id '" + id + "' is here twice, and a command would run there twice");
            }
        }
        if (ids.isEmpty()) {
            throw new Problem(ProblemType.INVALID_FIELD, "'" + field.name() + "' must be " + field.expected())
                    .at("/" + field.name());
        }
        return new ArrayList<>(ids);
    }

    private static Duration readDuration(JsonParser parser, Field field) {
        if (!parser.currentToken().isNumeric()) {
            throw wrong(parser, field);
        }
        BigDecimal seconds = parser.getDecimalValue();
        if (!field.acceptsSeconds(seconds)) {
            throw wrong(parser, field);
        }
        return Field.toDuration(seconds);
    }

    private static Boolean readFlag(JsonParser parser, Field field) {
        if (!parser.currentToken().isBoolean()) {
            throw wrong(parser, field);
        }
        return parser.getBooleanValue();
    }

    private static String readReference(JsonParser parser, Field field) {
        return parser.currentToken() == JsonToken.VALUE_NUMBER_INT && field.acceptsText(parser.getString())
                ? parser.getString()
                : readText(parser, field);
    }

    private static Long readNumber(JsonParser parser, Field field, long least, long most) {
        if (parser.currentToken() == JsonToken.VALUE_NUMBER_INT) {
            BigInteger number = parser.getBigIntegerValue();
            if (number.compareTo(BigInteger.valueOf(least)) >= 0 && number.compareTo(BigInteger.valueOf(most)) <= 0) {
                return number.longValue();
            }
        }
        throw wrong(parser, field);
    }

    private static Instant readTime(JsonParser parser, Field field) {
        Instant time = parser.currentToken() == JsonToken.VALUE_STRING ? parseTime(parser.getString()) : null;
        if (time == null) {
            throw wrong(parser, field);
        }
        return time;
    }

    private static @Nullable Instant parseTime(String text) {
        try {
            Instant time = OffsetDateTime.parse(text).toInstant();
            // beyond this a count of milliseconds is not sure to hold what is added to it
            return time.isBefore(LEAST_TIME) || time.isAfter(MOST_TIME) ? null : time;
        } catch (DateTimeException notATime) {
            return null;
        }
    }

    private static Values readObject(JsonParser parser, String text, Field field) {
        if (parser.currentToken() != JsonToken.START_OBJECT) {
            throw wrong(parser, field);
        }
        Map<String, Object> values = readMembers(parser, text, field.members());
        requireAll(field.members(), values, "/" + field.name());
        return new Values(values);
    }

    private static byte[] readAny(JsonParser parser, String text) {
        int start = (int) parser.currentTokenLocation().getCharOffset();
        parser.skipChildren();
        parser.finishToken();
        int end = (int) parser.currentLocation().getCharOffset();
        return text.substring(start, end).getBytes(StandardCharsets.UTF_8);
    }

    /** Reads the parameters of a request's URL, decoded already. */
    static Values readQuery(Map<String, List<String>> parameters, List<Field> fields) {
        Map<String, Object> values = new HashMap<>();
        parameters.forEach((name, given) -> {
            Field field = find(fields, name);
            if (field == null) {
                throw new Problem(
                                ProblemType.UNKNOWN_PARAMETER,
                                "there is no query parameter '" + shorten(name) + "' here; "
                                        + (fields.isEmpty() ? "none is allowed" : "known are " + namesOf(fields)))
                        .at(shorten(name));
            }
            Object value = given.size() == 1 ? parse(given.get(0), field) : null;
            if (value == null) {
                throw new Problem(
                                ProblemType.INVALID_PARAMETER,
                                "query parameter '" + name + "' must be given once, as " + field.expected())
                        .at(name);
            }
            values.put(name, value);
        });
        return new Values(values);
    }

    private static @Nullable Object parse(String text, Field field) {
        return switch (field.kind()) {
            case TEXT, AGENT_ID -> field.acceptsText(text) ? text : null;
            case FLAG -> (text.equals("true") || text.equals("false")) ? Boolean.valueOf(text) : null;
            case LIMIT -> parseNumber(text, 1, 1_000);
            case SHORT_LIMIT -> parseNumber(text, 1, 200);
            case SEQUENCE -> parseNumber(text, 0, Long.MAX_VALUE);
            case TIME -> parseTime(text);
            case TIMEOUT, TTL -> parseDuration(text, field);
            case AGENT_IDS, ANY, REFERENCE, PRIORITY, RETRIES, OBJECT ->
                throw new IllegalStateException(field.kind() + " is only for bodies");
        };
    }

    private static @Nullable Duration parseDuration(String text, Field field) {
        if (!text.matches("\\d{1,9}(\\.\\d{1,9})?")) {
            return null;
        }
        BigDecimal seconds = new BigDecimal(text);
        return field.acceptsSeconds(seconds) ? Field.toDuration(seconds) : null;
    }

    /** The number, or null if the text is none or it is out of bounds. */
    static @Nullable Long parseNumber(String text, long least, long most) {
        if (!text.matches("\\d{1,18}")) {
            return null;
        }
        long number = Long.parseLong(text);
        return number >= least && number <= most ? number : null;
    }

    private static @Nullable Field find(List<Field> fields, String name) {
        for (Field field : fields) {
            if (field.name().equals(name)) {
                return field;
            }
        }
        return null;
    }

    private static String namesOf(List<Field> fields) {
        return fields.isEmpty() ? "no fields" : fields.stream().map(Field::name).collect(Collectors.joining(", "));
    }

    private static String shorten(String text) {
        return text.length() <= SHOWN ? text : text.substring(0, SHOWN) + "...";
    }

    private static Problem wrong(JsonParser parser, Field field) {
        String got = switch (parser.currentToken()) {
            case START_OBJECT -> "an object";
            case START_ARRAY -> "an array";
            case VALUE_STRING -> "the string \"" + shorten(parser.getString()) + "\"";
            default -> shorten(parser.getString());
        };
        return problem(
                ProblemType.INVALID_FIELD,
                parser,
                "'" + field.name() + "' must be " + field.expected() + ", not " + got);
    }

    private static Problem problem(ProblemType type, JsonParser parser, String what) {
        return problem(type, parser, what, parser.currentTokenLocation());
    }

    private static Problem problem(
            ProblemType type, JsonParser parser, String what, @Nullable TokenStreamLocation where) {
        String place = where == null ? "" : " (line " + where.getLineNr() + ", column " + where.getColumnNr() + ")";
        return new Problem(type, what + place)
                .at(parser.streamReadContext().pathAsPointer().toString());
    }
}
