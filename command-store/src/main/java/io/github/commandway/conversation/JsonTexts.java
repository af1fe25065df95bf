package io.github.commandway.conversation;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.util.RawValue;

/** JSON that every database takes: PostgreSQL has no character U+0000, no half surrogate pairs, and no numbers beyond all measure. */
final class JsonTexts {
    private static final JsonMapper MAPPER = JsonMapper.builder().build();
    private static final JsonFactory FACTORY = new JsonFactory();
    private static final int MAX_NUMBER = 1_000;

    private JsonTexts() {}

    static String write(Object value) {
        return MAPPER.writeValueAsString(value);
    }

    /** The text of the bytes if they are such JSON in UTF-8, otherwise null. */
    static @Nullable String read(byte[] bytes) {
        String text = decode(bytes);
        return text != null && isStorable(text) ? text : null;
    }

    /** Bytes of unknown content as something to write: as what they are if they are JSON, otherwise a string, otherwise {@code {"base64": ...}}. */
    static Object content(byte[] bytes) {
        String text = decode(bytes);
        if (text == null) {
            return Map.of("base64", Base64.getEncoder().encodeToString(bytes));
        }
        return isStorable(text) ? new RawValue(text) : clean(text);
    }

    /** The text with a replacement character for each that no database takes. */
    static String clean(String text) {
        return isClean(text)
                ? text
                : text.codePoints()
                        .map(c -> isWrong(c) ? 0xFFFD : c)
                        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                        .toString();
    }

    static boolean isClean(String text) {
        return text.codePoints().noneMatch(JsonTexts::isWrong);
    }

    private static boolean isWrong(int codePoint) {
        return codePoint == 0 || (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE);
    }

    private static @Nullable String decode(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException notText) {
            return null;
        }
    }

    static boolean isStorable(String text) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
            int depth = 0;
            JsonToken token = parser.nextToken();
            if (token == null) {
                return false;
            }
            while (token != null) {
                if (!isStorable(parser, token)) {
                    return false;
                }
                depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
                token = parser.nextToken();
                if (depth == 0 && token != null) {
                    return false;
                }
            }
            return true;
        } catch (JacksonException notJson) {
            return false;
        }
    }

    private static boolean isStorable(JsonParser parser, JsonToken token) {
        if (token.isNumeric()) {
            String number = parser.getString();
            int exponent = Math.max(number.indexOf('e'), number.indexOf('E'));
            return number.length() <= MAX_NUMBER && (exponent < 0 || number.length() - exponent <= 5);
        }
        return (token != JsonToken.VALUE_STRING && token != JsonToken.PROPERTY_NAME) || isClean(parser.getString());
    }
}
