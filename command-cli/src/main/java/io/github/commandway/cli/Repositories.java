package io.github.commandway.cli;

import io.github.commandway.tools.RepositoryKeys;
import io.github.commandway.tools.SignedRepository;
import io.github.commandway.tools.ToolCatalog;
import io.github.commandway.tools.ToolInstaller;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;

/** The signed repositories that the settings name. */
final class Repositories {
    /** In the data folder; it has what is known of each repository, so that no older state of it is believed. */
    private static final String MEMORY = "repositories";

    private Repositories() {}

    /**
     * The repository that is set.
     *
     * @param started the folder in which the program was started
     * @param location a folder or an address
     * @param key the file of a public key
     * @throws UsageException if one of them is not set, or cannot be used
     */
    static SignedRepository open(Settings settings, Path started, Setting location, Setting key) {
        String given = needed(settings, location);
        Path keyFile = started.resolve(needed(settings, key));
        URI address;
        try {
            address = given.startsWith("http:") || given.startsWith("https:")
                    ? URI.create(given)
                    : started.resolve(given).toAbsolutePath().normalize().toUri();
            return SignedRepository.builder(
                            address,
                            RepositoryKeys.readPublic(keyFile),
                            started.resolve(settings.data()).resolve(MEMORY))
                    .build();
        } catch (IllegalArgumentException e) {
            throw new UsageException(location.key() + ": " + e.getMessage(), e);
        } catch (IOException e) {
            throw new UsageException(key.key() + ": " + keyFile + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** What installs tools from the repository of tools. */
    static ToolInstaller.Builder installer(Settings settings, Path started, ToolCatalog catalog) {
        return ToolInstaller.builder(
                catalog, open(settings, started, Setting.TOOLS_REPOSITORY, Setting.TOOLS_REPOSITORY_KEY));
    }

    private static String needed(Settings settings, Setting setting) {
        return settings.given(setting)
                .orElseThrow(() -> new UsageException(
                        setting.key() + " is not set: " + setting.description() + " (" + setting.flag() + ")"));
    }
}
