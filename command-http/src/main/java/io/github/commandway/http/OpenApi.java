package io.github.commandway.http;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The OpenAPI 3.1 document of the routes. */
final class OpenApi {
    private static final Pattern PARAMETER = Pattern.compile("\\{(\\w+)(?:\\.\\.\\.)?}");
    private static final String BEARER = "bearer";

    private OpenApi() {}

    static Map<String, Object> document(List<Route> routes, boolean credentialsNeeded) {
        Map<String, Map<String, Object>> paths = new LinkedHashMap<>();
        for (Route route : routes) {
            paths.computeIfAbsent(route.path().replace("...}", "}"), path -> new LinkedHashMap<>())
                    .put(route.method().toLowerCase(Locale.ROOT), operation(route, credentialsNeeded));
        }
        Map<String, Object> components = new LinkedHashMap<>();
        components.put("schemas", Schemas.all());
        if (credentialsNeeded) {
            components.put("securitySchemes", Map.of(BEARER, Map.of("type", "http", "scheme", "bearer")));
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("openapi", "3.1.0");
        document.put("info", Map.of("title", "Commandway", "version", "1"));
        document.put("paths", paths);
        document.put("components", components);
        return document;
    }

    private static Map<String, Object> operation(Route route, boolean credentialsNeeded) {
        Map<String, Object> operation = new LinkedHashMap<>();
        operation.put("summary", route.summary());
        List<Object> parameters = parameters(route);
        if (!parameters.isEmpty()) {
            operation.put("parameters", parameters);
        }
        if (!route.body().isEmpty()) {
            operation.put(
                    "requestBody",
                    Map.of(
                            "required",
                            route.body().stream().anyMatch(Field::required),
                            "content",
                            Map.of(Reply.JSON, Map.of("schema", body(route.body())))));
        }
        if (route.tools()) {
            Map<String, Object> schema = Map.of("schema", Schemas.reference("ToolRequest"));
            operation.put(
                    "requestBody",
                    Map.of("required", false, "content", Map.of(Reply.JSON, schema, "application/yaml", schema)));
        }
        operation.put("responses", responses(route));
        if (credentialsNeeded && !route.open()) {
            operation.put("description", rights(route));
            operation.put(
                    "security",
                    List.of(Map.of(
                            BEARER, route.needs().stream().map(Right::code).toList())));
        }
        return operation;
    }

    private static String rights(Route route) {
        String needs = route.needs().isEmpty()
                ? "Needs no right."
                : "Needs " + route.needs().stream().map(Right::code).collect(Collectors.joining(" and "))
                        + switch (route.extent()) {
                            case SOME -> ".";
                            case OWN -> ", not limited to some types or targets.";
                            case ALL -> ", without limits.";
                        };
        return route.hidesResults() ? needs + " Without output for a command its result is left out." : needs;
    }

    private static List<Object> parameters(Route route) {
        List<Object> parameters = new ArrayList<>();
        Matcher matcher = PARAMETER.matcher(route.path());
        while (matcher.find()) {
            parameters.add(Map.of(
                    "name", matcher.group(1), "in", "path", "required", true, "schema", Map.of("type", "string")));
        }
        route.query()
                .forEach(field -> parameters.add(Map.of(
                        "name",
                        field.name(),
                        "in",
                        "query",
                        "description",
                        field.description(),
                        "schema",
                        schema(field))));
        return parameters;
    }

    private static Map<String, Object> body(List<Field> fields) {
        Map<String, Object> properties = new LinkedHashMap<>();
        for (Field field : fields) {
            Map<String, Object> property = new LinkedHashMap<>(schema(field));
            property.put("description", field.description());
            properties.put(field.name(), property);
        }
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("type", "object");
        body.put("properties", properties);
        body.put(
                "required",
                fields.stream().filter(Field::required).map(Field::name).toList());
        body.put("additionalProperties", false);
        return body;
    }

    private static Map<String, Object> schema(Field field) {
        if (!field.members().isEmpty()) {
            return body(field.members());
        }
        return field.allowed().isEmpty() ? field.kind().schema() : Map.of("type", "string", "enum", field.allowed());
    }

    private static Map<String, Object> responses(Route route) {
        Map<String, Object> responses = new TreeMap<>();
        String schema = route.numbered() ? Schemas.TASK_PROBLEM : Schemas.PROBLEM;
        route.commonProblems().forEach(status -> responses.put(status.toString(), problem("Refused", schema)));
        route.problems().forEach(status -> responses.put(status.toString(), problem("Refused", schema)));
        route.answers()
                .forEach((status, shape) ->
                        responses.put(status == Route.ANY_STATUS ? "default" : status.toString(), answer(shape)));
        return responses;
    }

    private static Map<String, Object> problem(String description, String schema) {
        return Map.of(
                "description",
                description,
                "content",
                Map.of(Reply.PROBLEM, Map.of("schema", Schemas.reference(schema))));
    }

    private static Map<String, Object> answer(String schema) {
        return switch (schema) {
            case Schemas.ANY -> Map.of("description", "OK", "content", Map.of(Reply.JSON, Map.of("schema", Map.of())));
            case Schemas.NOTHING -> Map.of("description", "Nothing left");
            case Schemas.OUTPUT ->
                Map.of(
                        "description",
                        "The output",
                        "content",
                        Map.of(
                                Schemas.TEXT,
                                Map.of("schema", Map.of("type", "string")),
                                Schemas.EVENTS,
                                Map.of("schema", Map.of("type", "string")),
                                Reply.JSON,
                                Map.of("schema", Schemas.reference("RunOutput"))));
            case Schemas.HTML -> {
                Map<String, Object> text = Map.of("schema", Map.of("type", "string"));
                yield Map.of("description", "OK", "content", Map.of(Schemas.HTML, text, Schemas.TEXT, text));
            }
            case Schemas.EVENTS, Schemas.TEXT, Schemas.FILE ->
                Map.of("description", "OK", "content", Map.of(schema, Map.of("schema", Map.of("type", "string"))));
            default ->
                Map.of("description", "OK", "content", Map.of(Reply.JSON, Map.of("schema", Schemas.reference(schema))));
        };
    }
}
