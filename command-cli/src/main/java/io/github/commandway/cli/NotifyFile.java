package io.github.commandway.cli;

import io.github.commandway.manager.CommandStatus;
import io.github.commandway.outbox.ChatPublisher;
import io.github.commandway.outbox.Notifications;
import io.github.commandway.outbox.Notifications.Rule;
import io.github.commandway.outbox.Outbox;
import io.github.commandway.outbox.Publisher;
import io.github.commandway.outbox.WebhookPublisher;
import io.github.commandway.outbox.WebhookSignature;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.dataformat.yaml.YAMLFactory;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The file that says who is told of the ends of commands. Whatever is wrong in it is said with its line and column, and without the value, which may be a secret. */
final class NotifyFile {
    /** Its name in the data folder. */
    static final String NAME = "notify.yaml";

    private static final Logger LOG = LoggerFactory.getLogger(NotifyFile.class);
    private static final int MAX_FILE_BYTES = 1 << 20;
    private static final int MAX_RECEIVERS = 100;
    private static final Pattern NAME_PATTERN = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");

    private final Path file;
    private final List<Receiver> receivers = new ArrayList<>();
    private @Nullable URI link;

    /** What kind of address it is. */
    private enum Service {
        WEBHOOK,
        DINGTALK,
        SLACK
    }

    /** One receiver, as far as it has been read. */
    static final class Receiver {
        private final String name;
        private @Nullable Service service;
        private @Nullable URI url;
        private @Nullable String secret;
        private Set<CommandStatus> on = EnumSet.of(CommandStatus.FAILED, CommandStatus.TIMEOUT);
        private List<String> types = List.of("tool:*", "toolchain:*");
        private List<String> targets = List.of("*");
        private int perMinute;
        private int outputLines;
        private String prefix = "";

        private Receiver(String name) {
            this.name = name;
        }

        /** What it wants to know. */
        Rule rule() {
            return new Rule(
                    name,
                    on,
                    types.stream().map(Rule::pattern).toList(),
                    targets.stream().map(Rule::pattern).toList());
        }

        /** What tells it. */
        Publisher publisher(ScheduledExecutorService timer, ChatPublisher.Events events) {
            URI address = Objects.requireNonNull(url);
            if (service == Service.WEBHOOK) {
                WebhookPublisher.Builder webhook = WebhookPublisher.to(address);
                if (secret != null) {
                    webhook.signature(WebhookSignature.ofSecrets(secret));
                }
                return webhook.build();
            }
            ChatPublisher.Builder chat = service == Service.DINGTALK
                    ? ChatPublisher.dingTalk(address, secret, timer)
                    : ChatPublisher.slack(address, timer);
            if (perMinute > 0) {
                chat.perMinute(perMinute);
            }
            return chat.prefix(prefix).output(outputLines, events).build();
        }
    }

    private NotifyFile(Path file) {
        this.file = file;
    }

    /**
     * Reads the file that is set, or the one in the data folder; nothing if neither is there.
     *
     * @throws UsageException if something in it is wrong
     */
    static Optional<NotifyFile> find(Settings settings, Path data) {
        Optional<String> given = settings.given(Setting.NOTIFY_FILE);
        Path file = given.map(Path::of).orElseGet(() -> data.resolve(NAME));
        if (given.isEmpty() && !Files.exists(file)) {
            return Optional.empty();
        }
        NotifyFile read = new NotifyFile(file);
        read.read();
        return Optional.of(read);
    }

    List<Receiver> receivers() {
        return receivers;
    }

    /** What appends the notifications. */
    Notifications hook(Outbox outbox) {
        return new Notifications(
                outbox, UUID::randomUUID, receivers.stream().map(Receiver::rule).toList(), link);
    }

    private void read() {
        byte[] bytes;
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw new UsageException(file + " is larger than 1 MiB, which no list of receivers is");
            }
            bytes = Files.readAllBytes(file);
            if (file.getFileSystem().supportedFileAttributeViews().contains("posix")
                    && Files.getPosixFilePermissions(file).contains(PosixFilePermission.OTHERS_READ)) {
                LOG.warn("{} can be read by everybody on this machine, with the secrets in it; chmod 600 it", file);
            }
        } catch (NoSuchFileException e) {
            throw new UsageException(Setting.NOTIFY_FILE.key() + ": the file " + file + " does not exist", e);
        } catch (IOException e) {
            throw new UsageException(file + " cannot be read: " + e.getMessage(), e);
        }
        YAMLFactory factory = YAMLFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .build();
        try (JsonParser parser = new YAMLMapper(factory).createParser(bytes)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw wrong(parser, "there should be 'receivers', with a name for each");
            }
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                switch (parser.currentName()) {
                    case "link" -> link = address(parser);
                    case "receivers" -> readReceivers(parser);
                    default -> throw unknown(parser, "link, receivers");
                }
            }
        } catch (JacksonException e) {
            throw new UsageException(
                    file + at(e.getLocation()) + ": not valid YAML: "
                            + String.valueOf(e.getOriginalMessage())
                                    .lines()
                                    .findFirst()
                                    .orElse(""),
                    e);
        }
        if (receivers.isEmpty()) {
            throw new UsageException(file + ": there should be 'receivers', with a name for each");
        }
    }

    private void readReceivers(JsonParser parser) {
        begin(parser);
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            if (!NAME_PATTERN.matcher(name).matches() || receivers.size() == MAX_RECEIVERS) {
                throw wrong(
                        parser,
                        "a receiver's name should be 1 to 64 letters, digits, '.', '_' and '-', and there should be "
                                + MAX_RECEIVERS + " at most");
            }
            receivers.add(readReceiver(parser, new Receiver(name)));
        }
    }

    private Receiver readReceiver(JsonParser parser, Receiver receiver) {
        begin(parser);
        TokenStreamLocation start = parser.currentTokenLocation();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            switch (parser.currentName()) {
                case "kind" -> receiver.service = service(parser);
                case "url" -> receiver.url = address(parser);
                case "secret" -> receiver.secret = text(parser);
                case "on" -> receiver.on = states(parser);
                case "types" -> receiver.types = texts(parser);
                case "targets" -> receiver.targets = texts(parser);
                case "per_minute" -> receiver.perMinute = number(parser, 1, 1_000);
                case "output_lines" -> receiver.outputLines = number(parser, 0, 50);
                case "prefix" -> receiver.prefix = text(parser);
                default ->
                    throw unknown(parser, "kind, url, secret, on, types, targets, per_minute, output_lines, prefix");
            }
        }
        if (receiver.service == null || receiver.url == null) {
            throw wrong(start, "a receiver should have a 'kind' (webhook, dingtalk, slack) and a 'url'");
        }
        check(receiver, start);
        return receiver;
    }

    private void check(Receiver receiver, TokenStreamLocation start) {
        boolean webhook = receiver.service == Service.WEBHOOK;
        if (webhook && (receiver.perMinute > 0 || receiver.outputLines > 0 || !receiver.prefix.isEmpty())) {
            throw wrong(start, "'per_minute', 'output_lines' and 'prefix' should stand with dingtalk and slack only");
        }
        if (receiver.service == Service.SLACK && receiver.secret != null) {
            throw wrong(start, "slack should have no 'secret': its address is the secret");
        }
        if (webhook && receiver.secret != null) {
            try {
                WebhookSignature.ofSecrets(receiver.secret);
            } catch (IllegalArgumentException e) {
                throw wrong(start, "'secret': " + e.getMessage());
            }
        }
    }

    private void begin(JsonParser parser) {
        if (parser.nextToken() != JsonToken.START_OBJECT) {
            throw wrong(parser, "there should be names with their values");
        }
    }

    private String text(JsonParser parser) {
        JsonToken value = parser.nextToken();
        return scalar(parser, value);
    }

    private String scalar(JsonParser parser, JsonToken value) {
        if (!value.isScalarValue()
                || value == JsonToken.VALUE_NULL
                || String.valueOf(parser.getString()).isBlank()) {
            throw wrong(parser, "there should be a text");
        }
        return String.valueOf(parser.getString());
    }

    private List<String> texts(JsonParser parser) {
        return list(parser, Optional::of, "");
    }

    /** What each text of a list stands for; one that stands for nothing is wrong in the way that is said. */
    private <T> List<T> list(JsonParser parser, Function<String, Optional<T>> meaning, String expected) {
        if (parser.nextToken() != JsonToken.START_ARRAY) {
            throw wrong(parser, "there should be a list of texts, [one, two]");
        }
        List<T> list = new ArrayList<>();
        for (JsonToken item = parser.nextToken(); item != JsonToken.END_ARRAY; item = parser.nextToken()) {
            String text = scalar(parser, item);
            list.add(meaning.apply(text).orElseThrow(() -> wrong(parser, "'" + text + "' should be " + expected)));
        }
        if (list.isEmpty()) {
            throw wrong(parser, "the list should not be empty");
        }
        return list;
    }

    private Service service(JsonParser parser) {
        return switch (text(parser)) {
            case "webhook" -> Service.WEBHOOK;
            case "dingtalk" -> Service.DINGTALK;
            case "slack" -> Service.SLACK;
            default -> throw wrong(parser, "the kind should be one of webhook, dingtalk, slack");
        };
    }

    private Set<CommandStatus> states(JsonParser parser) {
        return EnumSet.copyOf(this.<CommandStatus>list(
                parser,
                text -> CommandStatus.ofCode(text).filter(CommandStatus::isTerminal),
                "one of completed, failed, timeout, cancelled"));
    }

    private int number(JsonParser parser, int least, int most) {
        try {
            return Kind.wholeNumber(text(parser), least, most);
        } catch (IllegalArgumentException e) {
            throw wrong(parser, String.valueOf(e.getMessage()));
        }
    }

    private URI address(JsonParser parser) {
        try {
            String text = text(parser);
            Kind.WEB_ADDRESS.check(text);
            return URI.create(text);
        } catch (IllegalArgumentException e) {
            throw wrong(parser, "there should be an address such as https://host/path");
        }
    }

    private UsageException unknown(JsonParser parser, String known) {
        return wrong(parser, "'" + parser.currentName() + "' is not known here; it should be one of " + known);
    }

    private UsageException wrong(JsonParser parser, String message) {
        return wrong(parser.currentTokenLocation(), message);
    }

    private UsageException wrong(TokenStreamLocation place, String message) {
        return new UsageException(file + at(place) + ": " + message);
    }

    private static String at(@Nullable TokenStreamLocation place) {
        return place == null ? "" : ", line " + place.getLineNr() + ", column " + place.getColumnNr();
    }
}
