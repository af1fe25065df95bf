package io.github.commandway.system;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Values that are data and nothing else, as bytes. */
final class PlainValues {
    private static final int DEEPEST = 32;
    private static final int NULL = 0;
    private static final int FALSE = 1;
    private static final int TRUE = 2;
    private static final int INT = 3;
    private static final int LONG = 4;
    private static final int DOUBLE = 5;
    private static final int TEXT = 6;
    private static final int BYTES = 7;
    private static final int LIST = 8;
    private static final int MAP = 9;

    private PlainValues() {}

    /** Throws an IllegalArgumentException if {@link #write} could not write the value. */
    static void check(@Nullable Object value) {
        check(value, 0);
    }

    private static void check(@Nullable Object value, int depth) {
        if (depth > DEEPEST) {
            throw new IllegalArgumentException("the value is nested more than " + DEEPEST + " deep");
        }
        if (value instanceof List<?> list) {
            list.forEach(item -> check(item, depth + 1));
        } else if (value instanceof Map<?, ?> map) {
            map.forEach((key, item) -> {
                if (!(key instanceof String)) {
                    throw new IllegalArgumentException("keys are Strings, not " + key);
                }
                check(item, depth + 1);
            });
        } else if (!(value == null
                || value instanceof Boolean
                || value instanceof Integer
                || value instanceof Long
                || value instanceof Double
                || value instanceof String
                || value instanceof byte[])) {
            throw new IllegalArgumentException("a value of " + value.getClass() + " cannot be recorded");
        }
    }

    static void write(DataOutputStream out, @Nullable Object value) throws IOException {
        if (value == null) {
            out.writeByte(NULL);
        } else if (value instanceof Boolean bool) {
            out.writeByte(bool ? TRUE : FALSE);
        } else if (value instanceof Integer number) {
            out.writeByte(INT);
            out.writeInt(number);
        } else if (value instanceof Long number) {
            out.writeByte(LONG);
            out.writeLong(number);
        } else if (value instanceof Double number) {
            out.writeByte(DOUBLE);
            out.writeDouble(number);
        } else if (value instanceof String text) {
            out.writeByte(TEXT);
            writeBytes(out, text.getBytes(StandardCharsets.UTF_8));
        } else if (value instanceof byte[] bytes) {
            out.writeByte(BYTES);
            writeBytes(out, bytes);
        } else if (value instanceof List<?> list) {
            out.writeByte(LIST);
            out.writeInt(list.size());
            for (Object item : list) {
                write(out, item);
            }
        } else if (value instanceof Map<?, ?> map) {
            out.writeByte(MAP);
            out.writeInt(map.size());
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                writeBytes(out, String.valueOf(entry.getKey()).getBytes(StandardCharsets.UTF_8));
                write(out, entry.getValue());
            }
        } else {
            throw new IllegalArgumentException("a value of " + value.getClass() + " cannot be recorded");
        }
    }

    static @Nullable Object read(DataInputStream in) throws IOException {
        int type = in.readUnsignedByte();
        switch (type) {
            case NULL -> {
                return null;
            }
            case FALSE, TRUE -> {
                return type == TRUE;
            }
            case INT -> {
                return in.readInt();
            }
            case LONG -> {
                return in.readLong();
            }
            case DOUBLE -> {
                return in.readDouble();
            }
            case TEXT -> {
                return new String(readBytes(in), StandardCharsets.UTF_8);
            }
            case BYTES -> {
                return readBytes(in);
            }
            case LIST -> {
                List<@Nullable Object> list = new ArrayList<>();
                for (int left = in.readInt(); left > 0; left--) {
                    list.add(read(in));
                }
                return list;
            }
            case MAP -> {
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                for (int left = in.readInt(); left > 0; left--) {
                    map.put(new String(readBytes(in), StandardCharsets.UTF_8), read(in));
                }
                return map;
            }
            default -> throw new IOException("there is no type " + type);
        }
    }

    /** Whether two values are the same once they were written and read. */
    static boolean same(@Nullable Object first, @Nullable Object second) {
        if (first instanceof byte[] one && second instanceof byte[] other) {
            return Arrays.equals(one, other);
        }
        if (first instanceof List<?> one && second instanceof List<?> other) {
            Iterator<?> others = other.iterator();
            return one.size() == other.size() && one.stream().allMatch(item -> same(item, others.next()));
        }
        if (first instanceof Map<?, ?> one && second instanceof Map<?, ?> other) {
            return one.keySet().equals(other.keySet())
                    && one.keySet().stream().allMatch(key -> same(one.get(key), other.get(key)));
        }
        return first == null ? second == null : first.equals(second);
    }

    private static void writeBytes(DataOutputStream out, byte[] bytes) throws IOException {
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static byte[] readBytes(DataInputStream in) throws IOException {
        int length = in.readInt();
        if (length < 0 || length > in.available()) {
            throw new IOException("there are not " + length + " bytes");
        }
        return in.readNBytes(length);
    }
}
