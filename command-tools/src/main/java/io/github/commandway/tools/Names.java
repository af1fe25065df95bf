package io.github.commandway.tools;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Which names may be names of files, and which paths stay inside a folder, on every system. */
final class Names {
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");
    private static final Pattern VERSION = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,127}");
    private static final Pattern VARIABLE = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,127}");
    private static final Pattern DEVICE = Pattern.compile("(con|prn|aux|nul|com[0-9]|lpt[0-9])(\\..*)?");
    /** The longest path in a folder, in characters. */
    static final int MAX_PATH = 1_024;

    /** What changes how programs find their code or which programs they start, rather than what they do; also what we set ourselves. */
    private static final Set<String> HARMFUL = Set.of(
            "ifs",
            "env",
            "bash_env",
            "shellopts",
            "bashopts",
            "ps4",
            "zdotdir",
            "home",
            "tmpdir",
            "temp",
            "tmp",
            "comspec",
            "pathext",
            "systemroot",
            "windir",
            "hostaliases",
            "localdomain",
            "browser",
            "makefiles",
            "lessopen",
            "lessclose",
            "wgetrc",
            "inputrc",
            "kubeconfig",
            "terminfo",
            "gem_home",
            "r_profile",
            "r_profile_user",
            "r_environ",
            "r_environ_user",
            "docker_host",
            "docker_config");

    private static final Set<String> HARMFUL_PREFIXES = Set.of(
            "ld_",
            "dyld_",
            "bash_func_",
            "python",
            "perl",
            "ruby",
            "node_",
            "npm_",
            "java_",
            "_java",
            "jdk_",
            "git_",
            "ssh_",
            "rsync_",
            "malloc_",
            "glibc_",
            "commandway_",
            "lua_",
            "php",
            "dotnet_",
            "coreclr_",
            "ssl_",
            "openssl_",
            "r_libs",
            "xdg_");

    /** Search paths, options that are added to those of a program, and programs that another one starts. */
    private static final Set<String> HARMFUL_SUFFIXES = Set.of(
            "path",
            "_options",
            "_opts",
            "_opt",
            "flags",
            "_rsh",
            "_ssh",
            "_config_file",
            "shell",
            "editor",
            "visual",
            "pager");

    private Names() {}

    /** Whether this can be the name of a tool, a toolchain, a step or a parameter. */
    static boolean isName(String name) {
        return NAME.matcher(name).matches() && isFileName(name);
    }

    /** Whether this can be the folder of a version. */
    static boolean isVersion(String version) {
        return VERSION.matcher(version).matches() && isFileName(version);
    }

    static boolean isVariable(String name) {
        return VARIABLE.matcher(name).matches();
    }

    /** Whether callers may set this environment variable although nobody said so. */
    static boolean isHarmlessVariable(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return isVariable(name)
                && !HARMFUL.contains(lower)
                && HARMFUL_PREFIXES.stream().noneMatch(lower::startsWith)
                && HARMFUL_SUFFIXES.stream().noneMatch(lower::endsWith);
    }

    private static boolean isFileName(String name) {
        return !name.endsWith(".")
                && !DEVICE.matcher(name.toLowerCase(Locale.ROOT)).matches();
    }

    /** What is wrong with a path that should be relative to a folder and stay in it, by its look alone; null if nothing. */
    static @Nullable String whyOutside(String path) {
        if (path.isEmpty() || path.length() > MAX_PATH) {
            return "must have 1 to " + MAX_PATH + " characters";
        }
        for (int i = 0; i < path.length(); i++) {
            char c = path.charAt(i);
            if (Character.isISOControl(c) || c == ':') {
                return "must not contain ':' or a control character";
            }
        }
        if (path.startsWith("/") || path.startsWith("\\") || path.startsWith("~")) {
            return "must be relative";
        }
        for (String part : path.split("[/\\\\]", -1)) {
            if (part.equals("..")) {
                return "must not contain '..'";
            }
            if (DEVICE.matcher(part.toLowerCase(Locale.ROOT)).matches()) {
                return "must not name a device";
            }
        }
        try {
            return Path.of(path).isAbsolute() ? "must be relative" : null;
        } catch (InvalidPathException e) {
            return "is not a path: " + e.getReason();
        }
    }

    /** Whether {@code path}, with its links followed as far as it exists, is inside {@code folder}, which has no links in it. */
    static boolean isReallyInside(Path folder, Path path) throws java.io.IOException {
        Path existing = path;
        while (existing != null && !Files.exists(existing, java.nio.file.LinkOption.NOFOLLOW_LINKS)) {
            existing = existing.getParent();
        }
        return existing != null && existing.toRealPath().startsWith(folder);
    }
}
