package io.github.commandway.store;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The prepared statements of the writer's connection, which are used again and again. Used by the writer only, and closed with its connection. */
final class Statements {
    private final Map<String, PreparedStatement> prepared = new HashMap<>();
    private @Nullable Connection connection;

    /** The statement for this text, which the caller must not close; its parameters are those of the last use. */
    PreparedStatement get(Connection current, String sql) throws SQLException {
        if (current != connection) {
            prepared.clear();
            connection = current;
        }
        PreparedStatement statement = prepared.get(sql);
        if (statement == null) {
            statement = current.prepareStatement(sql);
            prepared.put(sql, statement);
        }
        return statement;
    }

    /** The statement with these parameters: texts and numbers. */
    PreparedStatement get(Connection current, String sql, Object... parameters) throws SQLException {
        PreparedStatement statement = get(current, sql);
        for (int i = 0; i < parameters.length; i++) {
            statement.setObject(i + 1, parameters[i]);
        }
        return statement;
    }

    /** Rows as a table, in PostgreSQL: an array for each column, see {@link #bindArrays}. */
    static String unnest(List<String> types) {
        return types.stream().map(type -> "?::" + type + "[]").collect(Collectors.joining(", ", "unnest(", ")"));
    }

    /** Sets the arrays, from the first parameter on. */
    static void bindArrays(
            Connection connection, PreparedStatement statement, List<String> types, List<@Nullable Object[]> rows)
            throws SQLException {
        for (int column = 0; column < types.size(); column++) {
            String type = types.get(column);
            @Nullable Object[] values = type.equals("bytea") ? new byte[rows.size()][] : new @Nullable Object[rows.size()];
            for (int row = 0; row < values.length; row++) {
                values[row] = rows.get(row)[column];
            }
            statement.setArray(column + 1, connection.createArrayOf(type, values));
        }
    }

    /** The number in the only column of the first row; 0 if there is none. */
    static long number(PreparedStatement select) throws SQLException {
        try (ResultSet row = select.executeQuery()) {
            return row.next() ? row.getLong(1) : 0;
        }
    }
}
