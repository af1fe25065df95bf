package io.github.commandway.tools;

import io.github.commandway.exec.Containment;
import io.github.commandway.exec.Containment.Means;
import java.io.File;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.CharsetEncoder;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What stands before a tool's own arguments, so that it is kept where it should be and can be ended: the strongest that this machine has. */
final class Launcher {
    /** Where programs are looked for. */
    static final String SEARCH_PATH = isWindows()
            ? System.getenv().getOrDefault("SystemRoot", "C:\\Windows") + "\\System32"
            : String.join(File.pathSeparator, "/usr/local/bin", "/usr/bin", "/bin");

    private static final Logger LOG = LoggerFactory.getLogger(Launcher.class);
    private static final String BWRAP = "/usr/bin/bwrap";
    private static final String UNSHARE = "/usr/bin/unshare";
    private static final String SETPRIV = "/usr/bin/setpriv";
    private static final String PRLIMIT = "/usr/bin/prlimit";

    /** Who a sandbox's programs are if the server is root. */
    private static final int NOBODY = 65534;

    private static final int PROBE_SECONDS = 10;
    static final String INSIDE_RUN = "/work";
    static final String INSIDE_TOOL = "/tool";
    private static final List<String> SYSTEM_LINKS = List.of("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32");
    private static final List<String> SYSTEM_FILES = List.of(
            "/etc/alternatives",
            "/etc/ld.so.cache",
            "/etc/ld.so.conf",
            "/etc/ld.so.conf.d",
            "/etc/localtime",
            "/etc/fonts");
    private static final List<String> NETWORK_FILES = List.of(
            "/etc/resolv.conf",
            "/etc/hosts",
            "/etc/nsswitch.conf",
            "/etc/services",
            "/etc/ssl",
            "/etc/ca-certificates",
            "/etc/gai.conf");

    /** What {@code cmd.exe}, which runs batch files, does not take for a part of an argument. */
    private static final Pattern BATCH_SYNTAX = Pattern.compile("[\"%&|<>^!\\r\\n]");

    private final Containment containment;
    private final boolean sandbox;
    private final boolean root;
    private final boolean limits;

    Launcher(Containment containment, boolean sandbox, boolean root, boolean limits) {
        this.containment = containment;
        this.sandbox = sandbox;
        this.root = root;
        this.limits = limits;
    }

    /** How a run is started. */
    record Launch(List<String> argv, Containment containment) {}

    /** Tries what this machine can do. */
    static Launcher detect() {
        boolean root = isRoot();
        boolean limits = Files.isExecutable(Path.of(PRLIMIT));
        Launcher full = new Launcher(new Containment(Means.PID_NAMESPACE, List.of()), true, root, limits);
        boolean sandbox = Files.isExecutable(Path.of(BWRAP))
                && (!root || Files.isExecutable(Path.of(SETPRIV)))
                && works(full.sandboxPrefix(null, null));
        return new Launcher(containment(), sandbox, root, limits);
    }

    private static Containment containment() {
        return namespaces().stream().findFirst().orElseGet(Containment::basic);
    }

    /** Those that work here, the best first. */
    static List<Containment> namespaces() {
        return Stream.of(
                        List.of(
                                BWRAP,
                                "--unshare-pid",
                                "--die-with-parent",
                                "--dev-bind",
                                "/",
                                "/",
                                "--proc",
                                "/proc",
                                "--"),
                        // a shell in between, as the first process of a namespace ignores signals; what follows it is
                        // never read as a script
                        List.of(
                                SETPRIV,
                                "--pdeathsig",
                                "KILL",
                                "--",
                                UNSHARE,
                                "--pid",
                                "--fork",
                                "--kill-child=KILL",
                                "--mount-proc",
                                "/bin/sh",
                                "-c",
                                "\"$@\"; exit $?",
                                "sh"))
                .filter(wrapper -> Files.isExecutable(Path.of(wrapper.get(0))) && works(wrapper))
                .map(wrapper -> new Containment(Means.PID_NAMESPACE, wrapper))
                .toList();
    }

    private static boolean works(List<String> wrapper) {
        List<String> command = new ArrayList<>(wrapper);
        command.add("/bin/true");
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (process.waitFor(PROBE_SECONDS, TimeUnit.SECONDS)) {
                return process.exitValue() == 0;
            }
            process.destroyForcibly();
            return false;
        } catch (IOException e) {
            LOG.debug("{} cannot be used: {}", wrapper.get(0), e.getMessage());
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private static boolean isRoot() {
        try {
            return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
        } catch (IOException | UnsupportedOperationException | IllegalArgumentException e) {
            return false;
        }
    }

    static boolean isWindows() {
        return System.getProperty("os.name", "").startsWith("Windows");
    }

    /** The name of this system in {@code tool.yaml}. */
    static String system() {
        String name = System.getProperty("os.name", "");
        return isWindows() ? "windows" : name.startsWith("Mac") ? "mac" : "linux";
    }

    /** By what means processes are ended. */
    Means means() {
        return containment.means();
    }

    boolean hasSandbox() {
        return sandbox;
    }

    /** Why the tool cannot be run on this machine; null if it can. */
    @Nullable String whyNot(Tool tool) {
        if (tool.isolation() == Isolation.WASM) {
            return null;
        }
        if (tool.isolation() == Isolation.SANDBOX && !sandbox) {
            return "tool " + tool + " needs a sandbox, and bubblewrap (" + BWRAP
                    + ") is not there or may not make namespaces here; install it, or choose another isolation";
        }
        Tool.Limits wanted = tool.limits();
        if (!limits
                && (wanted.memory() != null
                        || wanted.cpu() != null
                        || wanted.processes() != null
                        || wanted.openFiles() != null)) {
            return "tool " + tool + " has limits, and prlimit (" + PRLIMIT + "), which sets them, is not there";
        }
        return null;
    }

    /** Where the tool sees the folder of its run. */
    String runFolder(Tool tool, Path folder) {
        return seesOwnPaths(tool) ? INSIDE_RUN : folder.toString();
    }

    /** Where the tool sees its own folder. */
    String toolFolder(Tool tool) {
        return seesOwnPaths(tool) ? INSIDE_TOOL : tool.folder().toString();
    }

    private static boolean seesOwnPaths(Tool tool) {
        return tool.isolation() == Isolation.SANDBOX || tool.isolation() == Isolation.WASM;
    }

    /** Gives a folder to those who work in it. */
    void handOver(Tool tool, Path folder) throws IOException {
        if (tool.isolation() == Isolation.SANDBOX && root) {
            try (var paths = Files.walk(folder)) {
                for (Path path : paths.toList()) {
                    Files.setAttribute(path, "unix:uid", NOBODY, LinkOption.NOFOLLOW_LINKS);
                }
            }
        }
    }

    /**
     * How to start a tool.
     *
     * @throws IllegalArgumentException if something would not arrive as it is; the message says what
     */
    Launch launch(Tool tool, Path folder, List<String> argv, Map<String, String> environment) {
        if (isWindows()) {
            requireNoBatchSyntax(argv);
        } else {
            // as the JDK does it
            Charset used = Runtime.version().feature() < 18
                    ? Charset.defaultCharset()
                    : Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8"));
            requireEncodable(used, argv);
            requireEncodable(used, environment.values());
        }
        List<String> command = new ArrayList<>(limitPrefix(tool.limits()));
        command.add(tool.isolation() == Isolation.SANDBOX ? inside(tool, argv.get(0)) : argv.get(0));
        command.addAll(argv.subList(1, argv.size()));
        return new Launch(
                command,
                tool.isolation() == Isolation.SANDBOX
                        ? new Containment(Means.PID_NAMESPACE, sandboxPrefix(tool, folder))
                        : containment);
    }

    /** Otherwise there would be question marks in their place. */
    static void requireEncodable(Charset charset, Collection<String> texts) {
        CharsetEncoder encoder = charset.newEncoder();
        for (String text : texts) {
            if (!encoder.canEncode(text)) {
                throw new IllegalArgumentException("an argument or variable cannot be passed on: the locale of the"
                        + " server has the encoding " + charset + ", and not all characters; start it with a locale of"
                        + " UTF-8, such as LC_ALL=C.UTF-8");
            }
        }
    }

    /** A batch file's arguments are read once more as if they had been typed. */
    static void requireNoBatchSyntax(List<String> argv) {
        String program = argv.get(0).toLowerCase(Locale.ROOT);
        if (!program.endsWith(".bat") && !program.endsWith(".cmd")) {
            return;
        }
        for (String argument : argv.subList(1, argv.size())) {
            if (BATCH_SYNTAX.matcher(argument).find()) {
                throw new IllegalArgumentException(
                        "an argument of a batch file must have none of \" % & | < > ^ ! and no line ends");
            }
        }
    }

    private static String inside(Tool tool, String program) {
        Path path = Path.of(program);
        return path.startsWith(tool.folder())
                ? INSIDE_TOOL + "/" + tool.folder().relativize(path)
                : program;
    }

    private List<String> limitPrefix(Tool.Limits wanted) {
        if (!limits) {
            return List.of();
        }
        List<String> prefix = new ArrayList<>(List.of(PRLIMIT, "--core=0", "--fsize=" + wanted.folder()));
        if (wanted.memory() != null) {
            prefix.add("--as=" + wanted.memory());
        }
        if (wanted.cpu() != null) {
            prefix.add("--cpu=" + wanted.cpu());
        }
        if (wanted.processes() != null) {
            prefix.add("--nproc=" + wanted.processes());
        }
        if (wanted.openFiles() != null) {
            prefix.add("--nofile=" + wanted.openFiles());
        }
        prefix.add("--");
        return prefix;
    }

    /** Root makes the namespaces, becomes nobody in them, and then gives up namespaces too; others do all of it in one step. */
    private List<String> sandboxPrefix(@Nullable Tool tool, @Nullable Path folder) {
        List<String> prefix = new ArrayList<>(List.of(BWRAP, "--unshare-pid", "--unshare-ipc", "--unshare-uts"));
        prefix.add("--unshare-cgroup-try");
        if (tool == null || !tool.access().network()) {
            prefix.add("--unshare-net");
        }
        prefix.addAll(List.of("--die-with-parent", "--new-session", "--cap-drop", "ALL"));
        if (root) {
            prefix.addAll(List.of("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"));
        } else {
            prefix.addAll(List.of("--unshare-user", "--disable-userns"));
        }
        prefix.addAll(List.of("--ro-bind", "/usr", "/usr"));
        for (String path : SYSTEM_LINKS) {
            addSystemFolder(prefix, Path.of(path));
        }
        prefix.addAll(List.of("--perms", "0755", "--dir", "/etc"));
        SYSTEM_FILES.forEach(file -> prefix.addAll(List.of("--ro-bind-try", file, file)));
        prefix.addAll(List.of("--proc", "/proc", "--dev", "/dev"));
        long size = tool == null ? 1 : Math.max(1, tool.limits().folder());
        for (String inMemory : List.of("/tmp", "/dev/shm")) {
            prefix.addAll(List.of("--size", Long.toString(size), "--perms", "1777", "--tmpfs", inMemory));
        }
        if (tool != null && folder != null) {
            addAccess(prefix, tool, folder);
        }
        // these two are in memory as well, and without a limit
        prefix.addAll(List.of("--remount-ro", "/dev", "--remount-ro", "/"));
        prefix.addAll(List.of("--chdir", root || folder == null ? "/" : INSIDE_RUN, "--"));
        if (root) {
            prefix.addAll(List.of(
                    SETPRIV,
                    "--reuid",
                    "" + NOBODY,
                    "--regid",
                    "" + NOBODY,
                    "--clear-groups",
                    "--inh-caps=-all",
                    "--"));
            prefix.addAll(
                    List.of(BWRAP, "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--dev-bind", "/", "/"));
            prefix.addAll(List.of("--chdir", folder == null ? "/" : INSIDE_RUN, "--"));
        }
        return prefix;
    }

    private static void addAccess(List<String> prefix, Tool tool, Path folder) {
        if (tool.access().network()) {
            NETWORK_FILES.forEach(file -> prefix.addAll(List.of("--ro-bind-try", file, file)));
        }
        for (Path path : tool.access().read()) {
            addParents(prefix, path);
            prefix.addAll(List.of("--ro-bind", path.toString(), path.toString()));
        }
        for (Path path : tool.access().write()) {
            addParents(prefix, path);
            prefix.addAll(List.of("--bind", path.toString(), path.toString()));
        }
        prefix.addAll(List.of("--ro-bind", tool.folder().toString(), INSIDE_TOOL));
        prefix.addAll(List.of("--bind", folder.toString(), INSIDE_RUN));
    }

    /** Otherwise they get the permissions of what is in them. */
    private static void addParents(List<String> prefix, Path path) {
        Path parent = path.getParent();
        if (parent != null && parent.getNameCount() > 0 && !parent.startsWith("/usr")) {
            addParents(prefix, parent);
            prefix.addAll(List.of("--perms", "0755", "--dir", parent.toString()));
        }
    }

    private static void addSystemFolder(List<String> prefix, Path path) {
        try {
            if (Files.isSymbolicLink(path)) {
                prefix.addAll(List.of("--symlink", Files.readSymbolicLink(path).toString(), path.toString()));
            } else if (Files.isDirectory(path)) {
                prefix.addAll(List.of("--ro-bind", path.toString(), path.toString()));
            }
        } catch (IOException e) {
            LOG.warn("{} is not in the sandbox: {}", path, e.getMessage());
        }
    }
}
