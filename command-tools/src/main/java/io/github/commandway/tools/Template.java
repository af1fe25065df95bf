package io.github.commandway.tools;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** A text with <code>${name}</code> in it. Values are put in as they are, and not looked at again. <code>$${</code> stands for <code>${</code>. */
final class Template {
    private final String source;
    private final List<Part> parts;

    private record Part(boolean isReference, String text) {}

    private Template(String source, List<Part> parts) {
        this.source = source;
        this.parts = parts;
    }

    /** @throws IllegalArgumentException if a brace is not closed */
    static Template parse(String source) {
        List<Part> parts = new ArrayList<>();
        StringBuilder literal = new StringBuilder();
        int i = 0;
        while (i < source.length()) {
            if (source.startsWith("$${", i)) {
                literal.append("${");
                i += 3;
            } else if (source.startsWith("${", i)) {
                int end = source.indexOf('}', i);
                if (end < 0) {
                    throw new IllegalArgumentException("'" + source + "' should close the brace of ${");
                }
                if (!literal.isEmpty()) {
                    parts.add(new Part(false, literal.toString()));
                    literal.setLength(0);
                }
                parts.add(new Part(true, source.substring(i + 2, end)));
                i = end + 1;
            } else {
                literal.append(source.charAt(i));
                i++;
            }
        }
        if (!literal.isEmpty()) {
            parts.add(new Part(false, literal.toString()));
        }
        return new Template(source, parts);
    }

    /** The names in it. */
    Set<String> references() {
        Set<String> references = new LinkedHashSet<>();
        for (Part part : parts) {
            if (part.isReference) {
                references.add(part.text);
            }
        }
        return references;
    }

    /** The name, if it is nothing but one; otherwise null. */
    @Nullable String onlyReference() {
        return parts.size() == 1 && parts.get(0).isReference ? parts.get(0).text : null;
    }

    String render(Function<String, String> values) {
        StringBuilder text = new StringBuilder();
        for (Part part : parts) {
            text.append(part.isReference ? values.apply(part.text) : part.text);
        }
        return text.toString();
    }

    @Override
    public String toString() {
        return source;
    }
}
