package io.github.commandway.http;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.cfg.JsonNodeFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.util.RawValue;

/** Writes JSON, and shows bytes of unknown content in it. */
final class Json {
    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();
    private static final JsonFactory FACTORY = new JsonFactory();

    private Json() {}

    static String write(Map<String, ?> value) {
        return MAPPER.writeValueAsString(value);
    }

    /** The UTF-8 form; half a surrogate pair, which has none, becomes a question mark. */
    static byte[] bytes(Map<String, ?> value) {
        return write(value).getBytes(StandardCharsets.UTF_8);
    }

    /** The members of an answer that is a list; more can be added. */
    static Map<String, Object> list(String member, List<?> entries) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("success", true);
        json.put("total", entries.size());
        json.put(member, entries);
        return json;
    }

    /** Bytes as what they are: JSON if they are JSON, otherwise a string if they are UTF-8, otherwise {@code {"base64": ...}}. */
    static Object content(byte[] bytes) {
        Object text = text(bytes);
        return text instanceof String string && isJson(string) ? new RawValue(string) : text;
    }

    /** Bytes as an object if they are one in JSON, with numbers as exact as they are; otherwise null. */
    static @Nullable ObjectNode object(byte[] bytes) {
        try {
            return MAPPER.readTree(bytes) instanceof ObjectNode object ? object : null;
        } catch (JacksonException notJson) {
            return null;
        }
    }

    /** Bytes as a string if they are UTF-8, otherwise {@code {"base64": ...}}. */
    static Object text(byte[] bytes) {
        String text = utf8(bytes);
        return text == null ? Map.of("base64", Base64.getEncoder().encodeToString(bytes)) : text;
    }

    /** Bytes as a string, or null if they are not UTF-8. */
    static @Nullable String utf8(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException notText) {
            return null;
        }
    }

    private static boolean isJson(String text) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
            if (parser.nextToken() == null) {
                return false;
            }
            parser.skipChildren();
            parser.finishToken();
            return parser.nextToken() == null;
        } catch (JacksonException notJson) {
            return false;
        }
    }
}
