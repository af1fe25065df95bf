package io.github.commandway.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The settings of one run: flags before environment variables before the configuration file before the defaults. Cannot be changed. */
final class Settings {
    static final String PREFIX = "COMMANDWAY_";

    /** The file that is read if no other is named and it is there. */
    static final String DEFAULT_FILE = "commandway.yaml";

    private static final List<String> OTHER_VARIABLES = List.of(PREFIX + "CONFIG", PREFIX + "JAVA_OPTS");
    private static final int MAX_FILE_BYTES = 1 << 20;
    private static final int MAX_DISTANCE = 4;

    private final Map<Setting, List<String>> values;
    private final List<String> warnings;

    private Settings(Map<Setting, List<String>> values, List<String> warnings) {
        this.values = values;
        this.warnings = warnings;
    }

    /**
     * Reads everything.
     *
     * @param flags what was given on the command line
     * @param environment the environment variables of the process
     * @param file the configuration file that was named, or null for {@value #DEFAULT_FILE} in {@code folder} if it is there
     * @param folder the folder in which the process was started
     * @throws UsageException if a value is not allowed or a key not known; the message says where it stands and what would be right
     */
    static Settings load(
            Map<Setting, List<String>> flags, Map<String, String> environment, @Nullable Path file, Path folder) {
        Map<Setting, List<String>> values = new EnumMap<>(Setting.class);
        List<String> warnings = new ArrayList<>();
        String named = environment.get(PREFIX + "CONFIG");
        if (file != null || named != null) {
            readFile(folder.resolve(file != null ? file : Path.of(String.valueOf(named))), values);
        } else if (Files.exists(folder.resolve(DEFAULT_FILE))) {
            readFile(folder.resolve(DEFAULT_FILE), values);
        }
        for (String variable : new TreeSet<>(environment.keySet())) {
            if (variable.startsWith(PREFIX) && !OTHER_VARIABLES.contains(variable)) {
                readVariable(variable, environment.getOrDefault(variable, ""), values, warnings);
            }
        }
        flags.forEach((setting, given) -> values.put(setting, checked(setting, given, setting.flag())));
        return new Settings(values, List.copyOf(warnings));
    }

    private static void readVariable(
            String variable, String value, Map<Setting, List<String>> values, List<String> warnings) {
        Optional<Setting> setting = Setting.ofVariable(variable);
        if (setting.isEmpty()) {
            // not refused: orchestrators set variables of their own that begin with a service's name
            warnings.add("environment variable " + variable + " is not a setting and is ignored"
                    + suggestion(
                            variable,
                            Arrays.stream(Setting.values())
                                    .map(Setting::variable)
                                    .toList()));
        } else if (!value.isEmpty()) {
            List<String> given =
                    setting.get().kind().hasSeveralValues() ? List.of(value.split(",", -1)) : List.of(value);
            values.put(setting.get(), checked(setting.get(), given, "environment variable " + variable));
        }
    }

    private static void readFile(Path file, Map<Setting, List<String>> values) {
        byte[] bytes;
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw new UsageException(file + " is larger than 1 MiB, which no configuration is");
            }
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new UsageException("the configuration file " + file + " does not exist", e);
        } catch (IOException e) {
            throw new UsageException("the configuration file " + file + " cannot be read: " + e.getMessage(), e);
        }
        try (JsonParser parser = new YAMLMapper().createParser(bytes)) {
            JsonToken first = parser.nextToken();
            if (first == JsonToken.START_OBJECT) {
                readObject(parser, "", file, values);
            } else if (first != null && first != JsonToken.VALUE_NULL) {
                throw new UsageException(file + " must hold settings such as 'http: {port: 8080}'");
            }
        } catch (JacksonException e) {
            throw new UsageException(
                    file + " is not YAML"
                            + at(e.getLocation() == null ? -1 : e.getLocation().getLineNr()) + ": "
                            + String.valueOf(e.getOriginalMessage())
                                    .lines()
                                    .findFirst()
                                    .orElse(""),
                    e);
        }
    }

    private static void readObject(JsonParser parser, String prefix, Path file, Map<Setting, List<String>> values) {
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String key = prefix + parser.currentName();
            int line = parser.currentTokenLocation().getLineNr();
            Optional<Setting> setting = Setting.ofKey(key);
            JsonToken value = parser.nextToken();
            if (setting.isPresent()) {
                String source = file + at(line);
                List<String> given = readValue(parser, value, setting.get(), source);
                if (!given.isEmpty() && values.put(setting.get(), checked(setting.get(), given, source)) != null) {
                    throw new UsageException(key + " is set twice (" + source + ")");
                }
            } else if (value == JsonToken.START_OBJECT
                    && Arrays.stream(Setting.values())
                            .anyMatch(known -> known.key().startsWith(key + "."))) {
                readObject(parser, key + ".", file, values);
            } else {
                throw new UsageException(file + at(line) + ": there is no setting '" + key + "'"
                        + suggestion(
                                key,
                                Arrays.stream(Setting.values())
                                        .map(Setting::key)
                                        .toList()));
            }
        }
    }

    private static List<String> readValue(JsonParser parser, JsonToken value, Setting setting, String source) {
        if (value.isScalarValue()) {
            return value == JsonToken.VALUE_NULL ? List.of() : List.of(String.valueOf(parser.getString()));
        }
        List<String> items = new ArrayList<>();
        if (value == JsonToken.START_ARRAY && setting.kind() == Kind.LIST) {
            for (JsonToken item = parser.nextToken(); item != JsonToken.END_ARRAY; item = parser.nextToken()) {
                if (!item.isScalarValue()) {
                    throw new UsageException(setting.key() + " must be a list of texts (" + source + ")");
                }
                items.add(String.valueOf(parser.getString()));
            }
            return items;
        }
        if (value == JsonToken.START_OBJECT && setting.kind() == Kind.MAP) {
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String name = parser.currentName();
                if (!parser.nextToken().isScalarValue()) {
                    throw new UsageException(setting.key() + "." + name + " must be a text (" + source + ")");
                }
                items.add(name + "=" + parser.getString());
            }
            return items;
        }
        String right = switch (setting.kind()) {
            case LIST -> "a list of texts";
            case MAP -> "names with their values";
            default -> "one value";
        };
        throw new UsageException(setting.key() + " must be " + right + " (" + source + ")");
    }

    private static List<String> checked(Setting setting, List<String> given, String source) {
        for (String value : given) {
            try {
                setting.kind().check(value);
            } catch (IllegalArgumentException e) {
                throw new UsageException(setting.key() + ": " + e.getMessage() + " (" + source + ")", e);
            }
        }
        return List.copyOf(given);
    }

    private static String at(int line) {
        return line > 0 ? ", line " + line : "";
    }

    private static String suggestion(String given, Collection<String> known) {
        String nearest = "";
        int least = MAX_DISTANCE + 1;
        for (String candidate : known) {
            int distance = distance(given, candidate);
            if (distance < least) {
                least = distance;
                nearest = candidate;
            }
        }
        return nearest.isEmpty() ? "" : "; did you mean '" + nearest + "'?";
    }

    /** How many characters must be added, removed or changed to make one text of the other. */
    private static int distance(String one, String other) {
        int[] row = new int[other.length() + 1];
        Arrays.setAll(row, i -> i);
        for (int i = 1; i <= one.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= other.length(); j++) {
                int changed = diagonal + (one.charAt(i - 1) == other.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(changed, Math.min(row[j - 1], row[j]) + 1);
            }
        }
        return row[other.length()];
    }

    /** What the user should be told, although nothing is refused. */
    List<String> warnings() {
        return warnings;
    }

    /** The value of a setting that has a default. */
    String text(Setting setting) {
        return values.getOrDefault(setting, List.of(setting.defaultValue())).get(0);
    }

    /** The value of a setting that may be missing. */
    Optional<String> given(Setting setting) {
        return Optional.ofNullable(values.get(setting)).map(given -> given.get(0));
    }

    List<String> list(Setting setting) {
        return values.getOrDefault(setting, List.of());
    }

    Map<String, String> map(Setting setting) {
        Map<String, String> map = new LinkedHashMap<>();
        for (String entry : list(setting)) {
            int equals = entry.indexOf('=');
            map.put(entry.substring(0, equals), entry.substring(equals + 1));
        }
        return map;
    }

    int number(Setting setting) {
        return Integer.parseInt(text(setting));
    }

    int bytes(Setting setting) {
        return Kind.bytes(text(setting));
    }

    Duration duration(Setting setting) {
        return Kind.duration(text(setting));
    }

    boolean isOn(Setting setting) {
        return Boolean.parseBoolean(text(setting));
    }

    Path data() {
        return Path.of(text(Setting.DATA));
    }
}
