package io.github.commandway.sql;

import java.sql.Array;
import java.sql.Blob;
import java.sql.Clob;
import java.sql.Date;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Time;
import java.sql.Timestamp;
import java.time.temporal.TemporalAccessor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a database gives, as values that outlive its connection. */
final class SqlValues {
    private SqlValues() {}

    static @Nullable Object read(ResultSet result, int column) throws SQLException {
        return plain(result.getObject(column));
    }

    private static @Nullable Object plain(@Nullable Object value) throws SQLException {
        if (value == null
                || value instanceof Boolean
                || value instanceof Number
                || value instanceof String
                || value instanceof byte[]
                || value instanceof TemporalAccessor) {
            return value;
        }
        if (value instanceof Timestamp timestamp) {
            return timestamp.toLocalDateTime();
        }
        if (value instanceof Date date) {
            return date.toLocalDate();
        }
        if (value instanceof Time time) {
            return time.toLocalTime();
        }
        if (value instanceof Clob clob) {
            return clob.getSubString(1, Math.toIntExact(clob.length()));
        }
        if (value instanceof Blob blob) {
            return blob.getBytes(1, Math.toIntExact(blob.length()));
        }
        if (value instanceof Array array) {
            return list(array);
        }
        return value.toString();
    }

    private static Object list(Array array) throws SQLException {
        if (!(array.getArray() instanceof Object[] items)) {
            return array.toString();
        }
        List<@Nullable Object> list = new ArrayList<>();
        for (Object item : items) {
            list.add(plain(item));
        }
        return Collections.unmodifiableList(list);
    }
}
