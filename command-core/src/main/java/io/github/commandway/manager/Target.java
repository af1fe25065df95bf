package io.github.commandway.manager;

import io.github.commandway.dispatch.CommandIds;
import java.util.Map;
import java.util.TreeMap;

/** Where a command runs. The set is closed: {@link #commandId()} selects the handler for every case but {@link Local}. */
public sealed interface Target {

    /** The text form: {@code agent:<id>}, {@code group:<selector>}, {@code queue:<name>}, {@code tool:<name>} or {@code local}. */
    @Override
    String toString();

    /** On one agent. Ids have 1 to 128 characters: a letter or digit, then letters, digits, {@code . _ : -}. */
    record Agent(String id) implements Target {
        /** The longest id, in characters. */
        public static final int MAX_LENGTH = 128;

        /** Checks the id. */
        public Agent {
            if (!isValidId(id)) {
                throw new IllegalArgumentException("agent id '" + id
                        + "' must have 1 to 128 characters: a letter or digit, then letters, digits, . _ : -");
            }
        }

        /** Whether {@code id} can be the id of an agent. */
        public static boolean isValidId(String id) {
            if (id.isEmpty() || id.length() > MAX_LENGTH || !isLetterOrDigit(id.charAt(0))) {
                return false;
            }
            for (int i = 1; i < id.length(); i++) {
                char c = id.charAt(i);
                if (!isLetterOrDigit(c) && c != '.' && c != '_' && c != ':' && c != '-') {
                    return false;
                }
            }
            return true;
        }

        private static boolean isLetterOrDigit(char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        }

        @Override
        public String toString() {
            return "agent:" + id;
        }
    }

    /**
     * On one member of a group of agents.
     *
     * @param selector {@code *} for all agents, or labels that all have to be there, such as {@code os=linux,zone=eu}; 1 to 256 characters
     */
    record Group(String selector) implements Target {
        /** Checks the selector. */
        public Group {
            requireName("group selector", selector);
            labels(selector);
        }

        /** Whether an agent with these labels is a member. */
        public boolean includes(Map<String, String> labels) {
            return labels.entrySet().containsAll(labels(selector).entrySet());
        }

        private static Map<String, String> labels(String selector) {
            Map<String, String> wanted = new TreeMap<>();
            if (selector.equals("*")) {
                return wanted;
            }
            for (String part : selector.split(",", -1)) {
                int equals = part.indexOf('=');
                if (equals < 1 || equals == part.length() - 1 || wanted.containsKey(part.substring(0, equals))) {
                    throw new IllegalArgumentException("group selector '" + selector
                            + "' is neither * nor different labels with their values, such as os=linux,zone=eu");
                }
                wanted.put(part.substring(0, equals), part.substring(equals + 1));
            }
            return wanted;
        }

        @Override
        public String toString() {
            return "group:" + selector;
        }
    }

    /** In a serial queue. */
    record Queue(String name) implements Target {
        /** Checks the name. */
        public Queue {
            requireName("queue name", name);
        }

        @Override
        public String toString() {
            return "queue:" + name;
        }
    }

    /** As a command-line tool. */
    record Tool(String name) implements Target {
        /** Checks the name. */
        public Tool {
            requireName("tool name", name);
        }

        @Override
        public String toString() {
            return "tool:" + name;
        }
    }

    /** In this process, by the handler that is registered for {@code commandId}. */
    record Local(int commandId) implements Target {
        /** Checks the id. */
        public Local {
            if (commandId < 0 || commandId > CommandIds.MAX_ID) {
                throw new IllegalArgumentException(
                        "command id " + commandId + " is not within 0.." + CommandIds.MAX_ID);
            }
        }

        @Override
        public String toString() {
            return "local:" + commandId;
        }
    }

    /** The id of the handler that takes commands for this target. */
    default int commandId() {
        if (this instanceof Local local) {
            return local.commandId;
        }
        if (this instanceof Agent) {
            return CommandIds.AGENT_EXECUTE;
        }
        if (this instanceof Queue) {
            return CommandIds.QUEUE_EXECUTE;
        }
        return this instanceof Tool ? CommandIds.TOOL_EXECUTE : CommandIds.GROUP_EXECUTE;
    }

    /**
     * Reads the text form.
     *
     * @throws IllegalArgumentException if it is none of the five
     */
    static Target parse(String text) {
        int colon = text.indexOf(':');
        String kind = colon < 0 ? text : text.substring(0, colon);
        String name = colon < 0 ? "" : text.substring(colon + 1);
        return switch (kind) {
            case "agent" -> new Agent(name);
            case "group" -> new Group(name);
            case "queue" -> new Queue(name);
            case "tool" -> new Tool(name);
            case "local" -> new Local(parseCommandId(text, name));
            default ->
                throw new IllegalArgumentException("target '" + text
                        + "' is none of agent:<id>, group:<selector>, queue:<name>, tool:<name>, local:<command id>");
        };
    }

    private static int parseCommandId(String text, String number) {
        try {
            return Integer.parseInt(number);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("target '" + text + "' does not end in a command id", e);
        }
    }

    private static void requireName(String what, String name) {
        if (name.isBlank() || name.length() > 256) {
            throw new IllegalArgumentException(what + " must have 1 to 256 characters, but is '" + name + "'");
        }
    }
}
