package io.github.commandway.cli;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import io.github.commandway.manager.CommandManager;
import java.time.Instant;
import java.util.Set;
import java.util.stream.Stream;

/** The shape that docs/architecture.md draws. */
@AnalyzeClasses(packages = "io.github.commandway", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String ROOT = "io.github.commandway.";

    @ArchTest
    static final ArchRule packagesFormATree =
            slices().matching(ROOT + "(**)").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule coreNeedsNearlyNothing = classes()
            .that()
            .resideInAnyPackage(ROOT + "dispatch..", ROOT + "manager..", ROOT + "directory..")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    ROOT + "dispatch..",
                    ROOT + "manager..",
                    ROOT + "directory..",
                    ROOT + "timing..",
                    "java..",
                    "org.slf4j..",
                    "org.jspecify..",
                    "org.agrona..");

    @ArchTest
    static final ArchRule builtInHandlersNeedOnlyTheJdk = classes()
            .that()
            .resideInAnyPackage(ROOT + "system..", ROOT + "boot..", ROOT + "exec..")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage(
                    ROOT + "dispatch..",
                    ROOT + "process..",
                    ROOT + "system..",
                    ROOT + "boot..",
                    ROOT + "exec..",
                    "java..",
                    "javax..",
                    "org.slf4j..",
                    "org.jspecify..");

    @ArchTest
    static final ArchRule httpKnowsOnlyCore = noClasses()
            .that()
            .resideInAPackage(ROOT + "http..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(ROOT + "quic..", ROOT + "agent..", ROOT + "cli..");

    @ArchTest
    static final ArchRule routesLookCommandsUpOnlyWhereRightsAreChecked = noClasses()
            .that()
            .resideInAPackage(ROOT + "http..")
            .and()
            .haveNameMatching(".*Routes(\\$.*)?")
            .should()
            .accessTargetWhere(DescribedPredicate.describe(
                    "commands are submitted, found or listed past the rights of the caller",
                    access -> access.getTargetOwner().isEquivalentTo(CommandManager.class)
                            && Set.of("submit", "find", "list").contains(access.getName())));

    @ArchTest
    static final ArchRule quicKnowsNoAgentRuntime = noClasses()
            .that()
            .resideInAPackage(ROOT + "quic..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(ROOT + "agent..", ROOT + "http..", ROOT + "cli..");

    @ArchTest
    static final ArchRule transportTypesStayInside = classes()
            .that(areSeenByUsers())
            .and()
            .resideOutsideOfPackage(ROOT + "quic.wire..")
            .should(notShowInSignatures(
                    "io.netty.", "com.google.protobuf.", "reactor.", "org.bouncycastle.", ROOT + "quic.wire."));

    @ArchTest
    static final ArchRule timeComesInThroughConstructors = noClasses()
            .that()
            .resideOutsideOfPackages(ROOT + "cli..", ROOT + "examples..", ROOT + "bench..")
            .should()
            .accessTargetWhere(readsTheWallClock());

    private static DescribedPredicate<JavaClass> areSeenByUsers() {
        return DescribedPredicate.describe("are public, with all that encloses them", ArchitectureTest::isSeenByUsers);
    }

    private static boolean isSeenByUsers(JavaClass type) {
        return type.getModifiers().contains(JavaModifier.PUBLIC)
                && type.getEnclosingClass().map(ArchitectureTest::isSeenByUsers).orElse(true);
    }

    private static DescribedPredicate<JavaAccess<?>> readsTheWallClock() {
        return DescribedPredicate.describe("the wall clock is read", access -> {
            String owner = access.getTargetOwner().getFullName();
            String name = access.getName();
            return (owner.equals(System.class.getName()) && name.equals("currentTimeMillis"))
                    || (owner.equals(Instant.class.getName())
                            && name.equals("now")
                            && access.getTarget().getFullName().endsWith("now()"));
        });
    }

    private static ArchCondition<JavaClass> notShowInSignatures(String... packages) {
        return new ArchCondition<>("not show types of " + String.join(", ", packages) + " in public signatures") {
            @Override
            public void check(JavaClass type, ConditionEvents events) {
                type.getMembers().stream()
                        .filter(member -> member.getModifiers().contains(JavaModifier.PUBLIC)
                                || member.getModifiers().contains(JavaModifier.PROTECTED))
                        .forEach(member -> typesOf(member)
                                .filter(shown -> Stream.of(packages).anyMatch(shown.getFullName()::startsWith))
                                .forEach(shown -> events.add(SimpleConditionEvent.violated(
                                        member, member.getFullName() + " shows " + shown.getFullName()))));
            }
        };
    }

    private static Stream<JavaClass> typesOf(JavaMember member) {
        Set<JavaClass> types;
        if (member instanceof JavaField field) {
            types = field.getType().getAllInvolvedRawTypes();
        } else {
            JavaCodeUnit unit = (JavaCodeUnit) member;
            return Stream.concat(
                    unit.getReturnType().getAllInvolvedRawTypes().stream(),
                    unit.getParameterTypes().stream().flatMap(type -> type.getAllInvolvedRawTypes().stream()));
        }
        return types.stream();
    }
}
