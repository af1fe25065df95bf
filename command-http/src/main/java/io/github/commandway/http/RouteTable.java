package io.github.commandway.http;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** All routes, and which one a request is for. */
final class RouteTable {
    private static final String REST = "...}";

    private final List<Route> routes;
    private final List<String[]> segments;
    private final Set<String> claimed;
    private final List<Route> forAnyPath;

    RouteTable(List<Route> routes) {
        this.routes = List.copyOf(routes);
        segments = this.routes.stream().map(route -> split(route.path())).toList();
        claimed = segments.stream().map(path -> path[1]).collect(Collectors.toSet());
        forAnyPath = this.routes.stream()
                .filter(route -> route.path().equals(Route.ANY_PATH))
                .toList();
    }

    List<Route> routes() {
        return routes;
    }

    /**
     * Finds the route. A path without parameters wins over one with them, because the table names it first. A route for any path gets what is not at or below the
     * first segment of any other route.
     *
     * @param path the path of the request, not decoded
     * @throws Problem 404 if no route has the path, 405 with {@code Allow} if none of them takes the method
     */
    Match match(String method, String path) {
        String wanted = method.equals("HEAD") ? "GET" : method;
        String[] given = split(path);
        TreeSet<String> allowed = new TreeSet<>();
        for (int i = 0; i < routes.size(); i++) {
            Map<String, String> parameters = new LinkedHashMap<>();
            if (!forAnyPath.contains(routes.get(i)) && matches(segments.get(i), given, parameters)) {
                Route route = routes.get(i);
                if (route.method().equals(wanted)) {
                    return new Match(route, parameters);
                }
                allowed.add(route.method());
            }
        }
        if (allowed.isEmpty()) {
            for (Route route : forAnyPath) {
                if (route.method().equals(wanted) && given.length > 1 && !claimed.contains(given[1])) {
                    return new Match(route, Map.of("path", path.substring(1)));
                }
            }
            throw new Problem(
                    ProblemType.PATH_UNKNOWN, "there is nothing at this path; GET /openapi.json lists what there is");
        }
        if (allowed.contains("GET")) {
            allowed.add("HEAD");
        }
        String methods = String.join(", ", allowed);
        throw new Problem(ProblemType.METHOD_NOT_ALLOWED, "this path takes only " + methods).header("Allow", methods);
    }

    private static boolean matches(String[] template, String[] given, Map<String, String> parameters) {
        int fixed = template[template.length - 1].endsWith(REST) ? template.length - 1 : template.length;
        if (given.length < fixed || (given.length > fixed && fixed == template.length)) {
            return false;
        }
        if (fixed < template.length) {
            parameters.put(
                    template[fixed].substring(1, template[fixed].length() - 1),
                    String.join("/", Arrays.asList(given).subList(fixed, given.length)));
        }
        for (int i = 0; i < fixed; i++) {
            String segment = template[i];
            if (segment.startsWith("{")) {
                parameters.put(segment.substring(1, segment.length() - 1), given[i]);
            } else if (!segment.equals(given[i])) {
                return false;
            }
        }
        return true;
    }

    private static String[] split(String path) {
        return path.split("/", -1);
    }

    /** A route with the values of the parameters in its path. */
    record Match(Route route, Map<String, String> parameters) {}
}
