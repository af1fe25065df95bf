package io.github.commandway.cli;

import io.github.commandway.manager.Target;
import io.github.commandway.quic.Transport;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What the value of a setting looks like. {@link #check} throws IllegalArgumentException, whose message says what would be right. */
enum Kind {
    TEXT("text"),
    PATH("path") {
        @Override
        void check(String value) {
            if (Path.of(value).toString().isBlank()) {
                throw new IllegalArgumentException("is empty");
            }
        }
    },
    PORT("port") {
        @Override
        void check(String value) {
            wholeNumber(value, 0, 65535);
        }
    },
    COUNT("number") {
        @Override
        void check(String value) {
            wholeNumber(value, 1, 10_000_000);
        }
    },
    RETRIES("number") {
        @Override
        void check(String value) {
            wholeNumber(value, 0, 999);
        }
    },
    BYTES("size") {
        @Override
        void check(String value) {
            bytes(value);
        }
    },
    DURATION("duration") {
        @Override
        void check(String value) {
            duration(value);
        }
    },
    SWITCH("true|false") {
        @Override
        void check(String value) {
            oneOf(value, "true", "false");
        }
    },
    TRANSPORT("auto|quic|tcp") {
        @Override
        void check(String value) {
            oneOf(value, "auto", "quic", "tcp");
        }
    },
    MODE("queue|sync") {
        @Override
        void check(String value) {
            oneOf(value, "queue", "sync");
        }
    },
    STORE("sqlite|postgres|memory") {
        @Override
        void check(String value) {
            oneOf(value, "sqlite", "postgres", "memory");
        }
    },
    PUBLISHER("log|webhook|kafka|nats") {
        @Override
        void check(String value) {
            oneOf(value, "log", "webhook", "kafka", "nats");
        }
    },
    WEB_ADDRESS("url") {
        @Override
        void check(String value) {
            URI address = URI.create(value);
            String scheme = String.valueOf(address.getScheme());
            if (!(scheme.equals("http") || scheme.equals("https")) || address.getHost() == null) {
                throw new IllegalArgumentException("'" + value + "' is not an address such as https://host/path");
            }
        }
    },
    TASK_IDS("time|number") {
        @Override
        void check(String value) {
            oneOf(value, "time", "number");
        }
    },
    RUN_IDS("uuid|uuid4|time") {
        @Override
        void check(String value) {
            oneOf(value, "uuid", "uuid4", "time");
        }
    },
    QUEUE_TARGET("target") {
        @Override
        void check(String value) {
            if (Target.parse(value) instanceof Target.Queue) {
                throw new IllegalArgumentException("'" + value + "' is a queue, and one cannot lead to another");
            }
        }
    },
    LEVEL("level") {
        @Override
        void check(String value) {
            oneOf(value, "error", "warn", "info", "debug", "trace");
        }
    },
    LOG_FORMAT("text|json") {
        @Override
        void check(String value) {
            oneOf(value, "text", "json");
        }
    },
    LIST("item"),
    MAP("name=value") {
        @Override
        void check(String value) {
            int equals = value.indexOf('=');
            if (equals < 1 || equals == value.length() - 1) {
                // not with the value, which may be a secret
                throw new IllegalArgumentException("an entry must be written as name=value");
            }
        }
    };

    private static final Pattern AMOUNT = Pattern.compile("(\\d{1,12}) ?([A-Za-z]*)");

    private final String label;

    Kind(String label) {
        this.label = label;
    }

    /** How the value is shown in help. */
    String label() {
        return label;
    }

    boolean hasSeveralValues() {
        return this == LIST || this == MAP;
    }

    void check(String value) {
        if (value.isBlank()) {
            throw new IllegalArgumentException("is empty");
        }
    }

    static int wholeNumber(String value, int least, int most) {
        try {
            int number = Integer.parseInt(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            throw notANumber(value, least, most, e);
        }
        throw notANumber(value, least, most, null);
    }

    private static IllegalArgumentException notANumber(String value, int least, int most, @Nullable Throwable cause) {
        return new IllegalArgumentException(
                "'" + value + "' is not a whole number from " + least + " to " + most, cause);
    }

    /** Reads {@code 500ms}, {@code 10s}, {@code 30m}, {@code 2h} or {@code 7d}; more than zero. */
    static Duration duration(String value) {
        Matcher matcher = AMOUNT.matcher(value);
        if (matcher.matches()) {
            long amount = Long.parseLong(matcher.group(1));
            Duration duration = switch (matcher.group(2)) {
                case "ms" -> Duration.ofMillis(amount);
                case "s" -> Duration.ofSeconds(amount);
                case "m" -> Duration.ofMinutes(amount);
                case "h" -> Duration.ofHours(amount);
                case "d" -> Duration.ofDays(amount);
                default -> Duration.ZERO;
            };
            if (!duration.isZero()) {
                return duration;
            }
        }
        throw new IllegalArgumentException(
                "'" + value + "' is not a duration above zero such as 500ms, 10s, 30m, 2h or 7d");
    }

    /** Reads a number of bytes, {@code 64KiB}, {@code 1MiB} or {@code 1GiB}; more than zero, less than 2 GiB. */
    static int bytes(String value) {
        Matcher matcher = AMOUNT.matcher(value);
        if (matcher.matches()) {
            long unit = switch (matcher.group(2)) {
                case "", "B" -> 1;
                case "KiB" -> 1L << 10;
                case "MiB" -> 1L << 20;
                case "GiB" -> 1L << 30;
                default -> 0;
            };
            long bytes = Long.parseLong(matcher.group(1)) * unit;
            if (bytes > 0 && bytes <= Integer.MAX_VALUE) {
                return (int) bytes;
            }
        }
        throw new IllegalArgumentException(
                "'" + value + "' is not a size above zero and below 2GiB such as 65536, 64KiB or 1MiB");
    }

    static Transport transport(String value) {
        return Transport.valueOf(value.toUpperCase(Locale.ROOT));
    }

    private static void oneOf(String value, String... allowed) {
        if (!Set.of(allowed).contains(value)) {
            throw new IllegalArgumentException("'" + value + "' is none of " + String.join(", ", allowed));
        }
    }
}
