package io.github.commandway.boot;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Components in levels: what one depends on is in the levels before its own. */
final class Levels {
    private Levels() {}

    /**
     * Sorts them; within a level they keep their order.
     *
     * @throws BootException if a name is there twice, one that is depended on is missing, or some depend on each other in a circle
     */
    static List<List<Component>> of(Collection<? extends Component> components) throws BootException {
        Map<String, Component> left = new LinkedHashMap<>();
        for (Component component : components) {
            if (left.putIfAbsent(component.name(), component) != null) {
                throw new BootException("there are two components '" + component.name() + "'");
            }
        }
        for (Component component : left.values()) {
            for (String needed : component.dependsOn()) {
                if (!left.containsKey(needed)) {
                    throw new BootException("component '" + component.name() + "' depends on '" + needed
                            + "', which is not there; there are " + new TreeSet<>(left.keySet()));
                }
            }
        }
        List<List<Component>> levels = new ArrayList<>();
        while (!left.isEmpty()) {
            List<Component> level = left.values().stream()
                    .filter(component -> component.dependsOn().stream().noneMatch(left::containsKey))
                    .toList();
            if (level.isEmpty()) {
                throw new BootException("components depend on each other: " + circle(left));
            }
            level.forEach(component -> left.remove(component.name()));
            levels.add(level);
        }
        return levels;
    }

    /** Each of those that are left depends on another of them, so that whoever follows them comes by one twice. */
    private static String circle(Map<String, Component> left) {
        List<String> path = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        String name = left.keySet().iterator().next();
        while (seen.add(name)) {
            path.add(name);
            name = new TreeSet<>(next(left, name)).first();
        }
        path.add(name);
        return String.join(" -> ", path.subList(path.indexOf(name), path.size()));
    }

    private static List<String> next(Map<String, Component> left, String name) {
        Component component = left.get(name);
        return component == null
                ? List.of()
                : component.dependsOn().stream().filter(left::containsKey).toList();
    }
}
