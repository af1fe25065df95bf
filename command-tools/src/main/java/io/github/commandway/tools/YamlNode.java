package io.github.commandway.tools;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.composer.Composer;
import org.snakeyaml.engine.v2.events.Event;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.ParserException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;
import org.snakeyaml.engine.v2.parser.Parser;
import org.snakeyaml.engine.v2.parser.ParserImpl;
import org.snakeyaml.engine.v2.scanner.StreamReader;

/** A value in a YAML text, which knows its place there, so that whatever is wrong with it can be said with line and column. */
final class YamlNode {
    /** The longest text, in characters. */
    static final int MAX_LENGTH = 256 << 10;

    private static final int MAX_DEPTH = 20;
    private static final String TOO_DEEP = "this is nested too deeply";

    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})\\s*(ms|s|m|h|d)");
    private static final Pattern BYTES = Pattern.compile("(\\d{1,12})\\s*(B|KiB|MiB|GiB|)");
    private static final LoadSettings SETTINGS =
            LoadSettings.builder().setCodePointLimit(MAX_LENGTH).build();

    private final Node node;

    private YamlNode(Node node) {
        this.node = node;
    }

    static YamlNode parse(String text) throws ToolFileException {
        try {
            Parser events = new ParserImpl(SETTINGS, new StreamReader(SETTINGS, text));
            Node root = new Composer(SETTINGS, new ShallowParser(events))
                    .getSingleNode()
                    .orElseThrow(() -> new ToolFileException(1, 1, "it is empty; it should hold 'key: value' lines"));
            return new YamlNode(root);
        } catch (MarkedYamlEngineException e) {
            Mark mark = e.getProblemMark().orElse(null);
            int line = mark == null ? 0 : mark.getLine() + 1;
            int column = mark == null ? 0 : mark.getColumn() + 1;
            String context = e.getContext() == null ? "" : e.getContext() + ", ";
            throw new ToolFileException(line, column, "not valid YAML: " + context + e.getProblem());
        } catch (YamlEngineException e) {
            throw new ToolFileException(0, 0, "not valid YAML: " + e.getMessage());
        }
    }

    ToolFileException wrong(String message) {
        Optional<Mark> mark = node.getStartMark();
        return new ToolFileException(
                mark.map(place -> place.getLine() + 1).orElse(0),
                mark.map(place -> place.getColumn() + 1).orElse(0),
                message);
    }

    boolean isMap() {
        return node instanceof MappingNode;
    }

    boolean isList() {
        return node instanceof SequenceNode;
    }

    boolean isNull() {
        return node.getTag().equals(Tag.NULL);
    }

    /** The entries, whose keys must be among {@code known}. */
    Map<String, YamlNode> fields(String... known) throws ToolFileException {
        List<String> allowed = Arrays.asList(known);
        Map<String, YamlNode> fields = new LinkedHashMap<>();
        for (NodeTuple entry : entriesOf("a map with some of " + String.join(", ", allowed))) {
            YamlNode key = new YamlNode(entry.getKeyNode());
            String name = key.text();
            if (!allowed.contains(name)) {
                throw key.wrong("'" + name + "' is not known here; it should be one of " + String.join(", ", allowed));
            }
            put(fields, key, entry);
        }
        return fields;
    }

    /** The entries, with any keys. */
    Map<String, YamlNode> entries() throws ToolFileException {
        Map<String, YamlNode> entries = new LinkedHashMap<>();
        for (NodeTuple entry : entriesOf("a map, 'key: value'")) {
            put(entries, new YamlNode(entry.getKeyNode()), entry);
        }
        return entries;
    }

    private static void put(Map<String, YamlNode> entries, YamlNode key, NodeTuple entry) throws ToolFileException {
        if (entries.put(key.text(), new YamlNode(entry.getValueNode())) != null) {
            throw key.wrong("'" + key.text() + "' is there twice; it should be there once");
        }
    }

    private List<NodeTuple> entriesOf(String expected) throws ToolFileException {
        if (node instanceof MappingNode map) {
            return map.getValue();
        }
        throw wrong("this should be " + expected);
    }

    List<YamlNode> list() throws ToolFileException {
        if (!(node instanceof SequenceNode sequence)) {
            throw wrong("this should be a list, [one, two]");
        }
        List<YamlNode> list = new ArrayList<>();
        for (Node element : sequence.getValue()) {
            list.add(new YamlNode(element));
        }
        return list;
    }

    /** A scalar as it is written, also a number or a truth value. */
    String text() throws ToolFileException {
        if (!(node instanceof ScalarNode scalar)) {
            throw wrong("this should be a text");
        }
        String value = scalar.getValue();
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (Character.isISOControl(c) && c != '\n' && c != '\t' && c != '\r') {
                throw wrong(String.format(
                        "the text holds the control character U+%04X; in double quotes a backslash begins an escape,"
                                + " so write it in single quotes",
                        (int) c));
            }
        }
        return value;
    }

    List<String> texts() throws ToolFileException {
        List<String> texts = new ArrayList<>();
        for (YamlNode element : list()) {
            texts.add(element.text());
        }
        return texts;
    }

    int integer(int min, int max) throws ToolFileException {
        try {
            int value = Integer.parseInt(text());
            if (value >= min && value <= max) {
                return value;
            }
        } catch (NumberFormatException e) {
            throw wrong("'" + text() + "' should be a whole number from " + min + " to " + max);
        }
        throw wrong("'" + text() + "' should be from " + min + " to " + max);
    }

    boolean bool() throws ToolFileException {
        return switch (text()) {
            case "true" -> true;
            case "false" -> false;
            default -> throw wrong("'" + text() + "' should be true or false");
        };
    }

    Duration duration(Duration min, Duration max) throws ToolFileException {
        Matcher matcher = DURATION.matcher(text());
        if (!matcher.matches()) {
            throw wrong("'" + text() + "' should be a number with a unit: ms, s, m, h or d, such as 30s");
        }
        long number = Long.parseLong(matcher.group(1));
        Duration value = switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            case "h" -> Duration.ofHours(number);
            default -> Duration.ofDays(number);
        };
        if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
            throw wrong("'" + text() + "' should be from " + min + " to " + max);
        }
        return value;
    }

    long bytes(long min, long max) throws ToolFileException {
        Matcher matcher = BYTES.matcher(text());
        if (!matcher.matches()) {
            throw wrong("'" + text() + "' should be a number of bytes, or one with a unit: KiB, MiB or GiB");
        }
        long number = Long.parseLong(matcher.group(1));
        int shift = switch (matcher.group(2)) {
            case "KiB" -> 10;
            case "MiB" -> 20;
            case "GiB" -> 30;
            default -> 0;
        };
        long value = number << shift;
        if (value < min || value > max) {
            throw wrong("'" + text() + "' should be from " + min + " to " + max + " bytes");
        }
        return value;
    }

    <E extends Enum<E>> E choice(Class<E> type) throws ToolFileException {
        String text = text();
        List<String> names = new ArrayList<>();
        for (E constant : type.getEnumConstants()) {
            String name = constant.name().toLowerCase(java.util.Locale.ROOT);
            if (name.equals(text)) {
                return constant;
            }
            names.add(name);
        }
        throw wrong("'" + text + "' should be one of " + String.join(", ", names));
    }

    Pattern pattern() throws ToolFileException {
        try {
            return Pattern.compile(text());
        } catch (java.util.regex.PatternSyntaxException e) {
            throw wrong("'" + text() + "' should be a regular expression: " + e.getDescription());
        }
    }

    /**
     * Everything below as maps, lists and texts; null for null.
     *
     * @throws ToolFileException if it is far more than was written, as aliases can say the same again and again
     */
    @Nullable Object plain() throws ToolFileException {
        return plain(0, new int[] {2 * MAX_LENGTH});
    }

    /** @param left how many characters and values there may still be: not more than can be written without aliases */
    private @Nullable Object plain(int depth, int[] left) throws ToolFileException {
        if (depth > MAX_DEPTH) {
            throw wrong(TOO_DEEP);
        }
        left[0] -= 1 + (node instanceof ScalarNode scalar ? scalar.getValue().length() : 0);
        if (left[0] < 0) {
            throw wrong("with its aliases this is too long");
        }
        if (isNull()) {
            return null;
        }
        if (node instanceof MappingNode) {
            Map<String, @Nullable Object> map = new LinkedHashMap<>();
            for (Map.Entry<String, YamlNode> entry : entries().entrySet()) {
                left[0] -= entry.getKey().length();
                map.put(entry.getKey(), entry.getValue().plain(depth + 1, left));
            }
            return map;
        }
        if (node instanceof SequenceNode) {
            List<@Nullable Object> list = new ArrayList<>();
            for (YamlNode element : list()) {
                list.add(element.plain(depth + 1, left));
            }
            return list;
        }
        return text();
    }

    /** Refuses what is nested too deeply before it is composed, which takes a part of the stack for each level. */
    private static final class ShallowParser implements Parser {
        private final Parser events;
        private int depth;

        ShallowParser(Parser events) {
            this.events = events;
        }

        @Override
        public boolean checkEvent(Event.ID choice) {
            return events.checkEvent(choice);
        }

        @Override
        public Event peekEvent() {
            return events.peekEvent();
        }

        @Override
        public boolean hasNext() {
            return events.hasNext();
        }

        @Override
        public Event next() {
            Event event = events.next();
            switch (event.getEventId()) {
                case SequenceStart, MappingStart -> depth++;
                case SequenceEnd, MappingEnd -> depth--;
                default -> {
                    // it holds nothing
                }
            }
            if (depth > MAX_DEPTH) {
                throw new ParserException(TOO_DEEP, event.getStartMark());
            }
            return event;
        }
    }
}
