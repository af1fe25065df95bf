package io.github.commandway.cli;

import io.github.commandway.http.HttpFacade;
import io.github.commandway.http.Rights;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Who may use the HTTP API, and what for.
 *
 * @param tokens the secret of each caller
 * @param rights what each caller may do who may not do everything
 */
record HttpCallers(Map<String, String> tokens, Map<String, Rights> rights) {

    /**
     * Reads them.
     *
     * @throws UsageException if rights are not written as they must be, or are those of somebody who has no token
     */
    static HttpCallers of(Settings settings) {
        Map<String, String> tokens = settings.map(Setting.HTTP_TOKENS);
        Map<String, Rights> rights = new LinkedHashMap<>();
        settings.map(Setting.HTTP_RIGHTS).forEach((name, text) -> {
            if (!tokens.containsKey(name)) {
                throw new UsageException(Setting.HTTP_RIGHTS.key() + ": '" + name + "' has no token in "
                        + Setting.HTTP_TOKENS.key()
                        + (tokens.isEmpty() ? "" : ", where there are " + String.join(", ", tokens.keySet())));
            }
            try {
                rights.put(name, Rights.parse(text));
            } catch (IllegalArgumentException e) {
                throw new UsageException(Setting.HTTP_RIGHTS.key() + ", " + name + ": " + e.getMessage(), e);
            }
        });
        return new HttpCallers(tokens, rights);
    }

    void addTo(HttpFacade.Builder facade) {
        tokens.forEach((name, token) -> facade.token(name, token, rights.getOrDefault(name, Rights.all())));
    }
}
