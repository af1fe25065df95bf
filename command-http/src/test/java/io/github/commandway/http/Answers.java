package io.github.commandway.http;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the routes may answer by their tables, and what the tests of this module have seen them answer, over all facades. */
final class Answers {
    private static final Pattern REQUESTS =
            Pattern.compile("commandway_http_requests_total\\{method=\"(\\w+)\",route=\"([^\"]*)\",status=\"(\\d+)\"}");
    private static final Pattern PROBLEMS = Pattern.compile("commandway_http_problems_total\\{code=\"(\\w+)\"}");

    static final Answers ALL = new Answers();

    private final Map<String, Set<Integer>> declared = new TreeMap<>();
    private final Map<String, Set<Integer>> common = new TreeMap<>();
    private final Map<String, Set<Integer>> seen = new TreeMap<>();
    private final Set<String> undeclared = new TreeSet<>();
    private final Set<String> problems = new TreeSet<>();

    private Answers() {}

    /** Takes down what a facade was able to answer, and what it has answered. */
    synchronized void record(List<Route> routes, CommandMetrics metrics) {
        Map<String, Route> byName = new TreeMap<>();
        for (Route route : routes) {
            byName.put(name(route.method(), route.path()), route);
            statuses(declared, name(route.method(), route.path()))
                    .addAll(route.answers().keySet());
            statuses(declared, name(route.method(), route.path())).addAll(route.problems());
            statuses(common, name(route.method(), route.path())).addAll(route.commonProblems());
        }
        String scrape = metrics.scrape();
        Matcher request = REQUESTS.matcher(scrape);
        while (request.find()) {
            String name = name(request.group(1).equals("HEAD") ? "GET" : request.group(1), request.group(2));
            int status = Integer.parseInt(request.group(3));
            statuses(seen, name).add(status);
            Route route = byName.get(name);
            if (route != null
                    && !route.answers().containsKey(status)
                    && !route.problems().contains(status)
                    && !route.commonProblems().contains(status)) {
                if (route.answers().containsKey(Route.ANY_STATUS)) {
                    statuses(seen, name).add(Route.ANY_STATUS);
                } else {
                    undeclared.add(name + " " + status);
                }
            }
        }
        Matcher problem = PROBLEMS.matcher(scrape);
        while (problem.find()) {
            problems.add(problem.group(1));
        }
    }

    private static String name(String method, String path) {
        return method + " " + path;
    }

    private static Set<Integer> statuses(Map<String, Set<Integer>> all, String name) {
        return all.computeIfAbsent(name, key -> new TreeSet<>());
    }

    /** What routes have answered although their table does not say so. */
    synchronized Set<String> undeclared() {
        return Set.copyOf(undeclared);
    }

    /** What the table of a route says and no test has seen of that route. */
    synchronized Set<String> unseen() {
        Set<String> unseen = new TreeSet<>();
        declared.forEach((name, statuses) -> statuses.stream()
                .filter(status -> !seen.getOrDefault(name, Set.of()).contains(status))
                .forEach(status -> unseen.add(name + " " + status)));
        return unseen;
    }

    /** The statuses that any route may answer and no test has seen of any. */
    synchronized Set<Integer> unseenCommon() {
        Set<Integer> unseen = new TreeSet<>();
        common.values().forEach(unseen::addAll);
        seen.values().forEach(unseen::removeAll);
        return unseen;
    }

    /** The codes of the problems that a request has ended in. */
    synchronized Set<String> problems() {
        return Set.copyOf(problems);
    }
}
