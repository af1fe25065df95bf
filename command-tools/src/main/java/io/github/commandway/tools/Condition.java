package io.github.commandway.tools;

import java.util.function.Function;

/** When a step runs: after success, after failure, always, or if two texts are equal or not (then only after success). */
record Condition(Kind kind, Template left, Template right) {
    static final String SUCCESS = "success";

    enum Kind {
        SUCCESS,
        FAILURE,
        ALWAYS,
        EQUAL,
        UNEQUAL
    }

    /** @throws IllegalArgumentException if it is none of these */
    static Condition parse(String text) {
        String condition = text.strip();
        Template empty = Template.parse("");
        return switch (condition) {
            case SUCCESS -> new Condition(Kind.SUCCESS, empty, empty);
            case "failure" -> new Condition(Kind.FAILURE, empty, empty);
            case "always" -> new Condition(Kind.ALWAYS, empty, empty);
            default -> comparison(condition);
        };
    }

    private static Condition comparison(String condition) {
        int equal = condition.indexOf("==");
        int unequal = condition.indexOf("!=");
        int at = unequal >= 0 && (equal < 0 || unequal < equal) ? unequal : equal;
        if (at < 0) {
            throw new IllegalArgumentException(
                    "'" + condition + "' should be success, failure, always, or two texts with == or != between them");
        }
        return new Condition(
                at == equal ? Kind.EQUAL : Kind.UNEQUAL,
                Template.parse(condition.substring(0, at).strip()),
                Template.parse(condition.substring(at + 2).strip()));
    }

    boolean holds(boolean failed, Function<String, String> values) {
        return switch (kind) {
            case SUCCESS -> !failed;
            case FAILURE -> failed;
            case ALWAYS -> true;
            case EQUAL -> !failed && left.render(values).equals(right.render(values));
            case UNEQUAL -> !failed && !left.render(values).equals(right.render(values));
        };
    }
}
