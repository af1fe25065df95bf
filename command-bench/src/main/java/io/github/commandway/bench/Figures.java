package io.github.commandway.bench;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;

/** The named figures of one benchmark in the order in which they were added; as text, the JSON object that is its last line. */
final class Figures {

    private final String benchmark;
    private final Map<String, Double> values = new LinkedHashMap<>();

    Figures(String benchmark) {
        this.benchmark = benchmark;
    }

    void add(String name, double value) {
        values.put(name, value);
    }

    /** Adds the quotient of two figures, if both are there. */
    void addRatio(String name, String dividend, String divisor) {
        if (values.containsKey(dividend) && values.containsKey(divisor)) {
            add(name, values.get(dividend) / values.get(divisor));
        }
    }

    /** Adds the difference of two figures, if both are there. */
    void addDifference(String name, String minuend, String subtrahend) {
        if (values.containsKey(minuend) && values.containsKey(subtrahend)) {
            add(name, values.get(minuend) - values.get(subtrahend));
        }
    }

    @Override
    public String toString() {
        StringJoiner fields = new StringJoiner(", ", "{\"benchmark\": \"" + benchmark + "\", ", "}");
        values.forEach((name, value) -> fields.add(String.format(Locale.ROOT, "\"%s\": %.3f", name, value)));
        return fields.toString();
    }
}
