package io.github.commandway.http;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** All routes, and which one a request is for. */
final class RouteTable {
    private final List<Route> routes;
    private final List<String[]> segments;

    RouteTable(List<Route> routes) {
        this.routes = List.copyOf(routes);
        segments = this.routes.stream().map(route -> split(route.path())).toList();
    }

    List<Route> routes() {
        return routes;
    }

    /**
     * Finds the route. A path without parameters wins over one with them, because the table names it first.
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
            if (matches(segments.get(i), given, parameters)) {
                Route route = routes.get(i);
                if (route.method().equals(wanted)) {
                    return new Match(route, parameters);
                }
                allowed.add(route.method());
            }
        }
        if (allowed.isEmpty()) {
            throw new Problem(
                    404, "path_unknown", "there is nothing at this path; GET /openapi.json lists what there is");
        }
        if (allowed.contains("GET")) {
            allowed.add("HEAD");
        }
        String methods = String.join(", ", allowed);
        throw new Problem(405, "method_not_allowed", "this path takes only " + methods).header("Allow", methods);
    }

    private static boolean matches(String[] template, String[] given, Map<String, String> parameters) {
        if (template.length != given.length) {
            return false;
        }
        for (int i = 0; i < template.length; i++) {
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
