package io.github.commandway.system;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.commandway.cloudstorage.CloudStorageService;
import io.github.commandway.dispatch.Command;
import io.github.commandway.dispatch.Registry;
import io.github.commandway.eval.EvalService;
import io.github.commandway.sql.SqlService;
import io.github.commandway.testing.ManualTime;
import io.github.commandway.tty.TtyService;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jline.terminal.impl.DumbTerminal;
import org.junit.jupiter.api.Test;

/** docs/system-commands.md says what is there, and nothing else is there. */
class SystemCommandsDocTest {
    private static final Path DOC = Path.of("..", "docs", "system-commands.md");
    private static final Pattern HEADING = Pattern.compile("## (\\w+): `(\\w+)`.*");
    private static final Pattern ROW = Pattern.compile("\\| (\\d+) \\| (\\w+) \\| (.*?) ?\\| .+ \\|");
    private static final Map<String, String> CONSTANTS =
            Map.of("StatOf", "STAT", "EntryOf", "ENTRY", "ListEntries", "LIST", "ListObjects", "LIST");

    @Test
    void everyCommandIsInTheTableWithItsIdAndFieldsAndNoOther() throws Exception {
        ManualTime time = new ManualTime();
        StreamService streams = new StreamService(1);
        List<SystemService> services = List.of(
                new ClockService(time.scheduler(), time.clock(), 1),
                new SocketService(streams, workers(), 1),
                streams,
                new HttpService(Map.of(), streams, time.scheduler(), new Random(1), 1),
                new TtyService(new DumbTerminal(new ByteArrayInputStream(new byte[0]), new ByteArrayOutputStream())),
                new WebSocketService(HttpClient.newHttpClient(), time.scheduler(), 1),
                new EventService(1),
                new SqlService(Map.of(), workers(), 1, 1),
                new StoreService(Map.of()),
                new SecurityService(Map.of()),
                new FunctionService(Map.of(), workers()),
                new ExecService(streams, 1),
                new CloudStorageService(Map.of(), workers(), 1),
                new EvalService(workers(), 1, 1),
                new WorkflowService(Map.of(), workers()),
                new ContractService(Map.of(), workers(), 1));
        Registry registry = new Registry();
        services.forEach(registry::register);
        registry.freeze();
        List<String> present = new ArrayList<>();
        for (SystemService service : services) {
            present.addAll(commandsOf(service));
            service.close();
        }
        assertThat(documented(registry)).containsExactlyElementsOf(present);
        for (int id = 0; id < 256; id++) {
            int candidate = id;
            assertThat(present.stream().anyMatch(line -> line.contains(" " + candidate + " ")))
                    .as("command %d", id)
                    .isEqualTo(registry.has(id));
        }
    }

    private static List<String> commandsOf(SystemService service) throws ReflectiveOperationException {
        List<String> found = new ArrayList<>();
        for (Class<?> nested : service.getClass().getDeclaredClasses()) {
            if (Command.class.isAssignableFrom(nested)) {
                found.add(line(
                        service.getClass().getSimpleName(),
                        idOf(service.getClass(), nested),
                        nested.getSimpleName(),
                        fieldsOf(nested)));
            }
        }
        found.sort(null);
        return found;
    }

    private static int idOf(Class<?> service, Class<?> command) throws ReflectiveOperationException {
        String name = command.getSimpleName();
        String constant = CONSTANTS.getOrDefault(
                name, name.replaceAll("(?<=[a-z])(?=[A-Z])", "_").toUpperCase(Locale.ROOT));
        return service.getField(constant).getInt(null);
    }

    /** Pooled commands, and the request with its builder, have no fields to be seen. */
    private static String fieldsOf(Class<?> command) {
        return command.isRecord()
                ? Arrays.stream(command.getRecordComponents())
                        .map(RecordComponent::getName)
                        .collect(Collectors.joining(", "))
                : "*";
    }

    private static List<String> documented(Registry registry) throws IOException {
        List<String> found = new ArrayList<>();
        TreeSet<String> section = new TreeSet<>();
        String service = "";
        String owner = "";
        for (String text : Files.readAllLines(DOC, StandardCharsets.UTF_8)) {
            Matcher heading = HEADING.matcher(text);
            Matcher row = ROW.matcher(text);
            if (heading.matches()) {
                found.addAll(section);
                section.clear();
                owner = heading.group(1);
                service = heading.group(2);
            } else if (row.matches()) {
                int id = Integer.parseInt(row.group(1));
                assertThat(registry.ownerOf(id)).isEqualTo(owner);
                boolean opaque = List.of("Sleep", "Get", "Set", "Request").contains(row.group(2))
                        || (service.equals("EventService") && row.group(2).equals("Send"));
                section.add(line(service, id, row.group(2), opaque ? "*" : row.group(3)));
            }
        }
        found.addAll(section);
        return found;
    }

    private static String line(String service, int id, String command, String fields) {
        return service + " " + id + " " + command + "(" + fields + ")";
    }

    private static Workers workers() {
        return new Workers("test", 1, 0);
    }
}
