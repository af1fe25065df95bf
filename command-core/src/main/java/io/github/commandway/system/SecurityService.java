package io.github.commandway.system;

import io.github.commandway.dispatch.Command;
import java.time.Duration;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;

/** Tokens that tell who somebody is. All commands complete at once. Register it only where whoever yields commands may make tokens. */
public final class SecurityService implements SystemService {
    /** The id of {@link ValidateToken}. */
    public static final int VALIDATE_TOKEN = 130;
    /** The id of {@link CreateToken}. */
    public static final int CREATE_TOKEN = 131;
    /** The id of {@link RevokeToken}. */
    public static final int REVOKE_TOKEN = 132;

    private final Map<String, TokenIssuer> issuers;
    private volatile boolean closed;

    /** @param issuers by name, each with its key; stay the caller's */
    public SecurityService(Map<String, TokenIssuer> issuers) {
        this.issuers = Map.copyOf(issuers);
    }

    @Override
    public String name() {
        return "security";
    }

    @Override
    public void registerAll(Registrar registrar) {
        registrar.register(VALIDATE_TOKEN, (context, command, tag, receiver) -> {
            ValidateToken validate = (ValidateToken) command;
            receiver.completeYield(tag, issuer(validate.store).validate(validate.token), null);
        });
        registrar.register(CREATE_TOKEN, (context, command, tag, receiver) -> {
            CreateToken create = (CreateToken) command;
            receiver.completeYield(
                    tag, issuer(create.store).create(create.actor, create.scope, create.expiration, create.meta), null);
        });
        registrar.register(REVOKE_TOKEN, (context, command, tag, receiver) -> {
            RevokeToken revoke = (RevokeToken) command;
            issuer(revoke.store).revoke(revoke.token);
            receiver.completeYield(tag, null, null);
        });
    }

    @Override
    public void close() {
        closed = true;
    }

    private TokenIssuer issuer(String name) throws Exception {
        if (closed) {
            throw Completion.stopped(name());
        }
        TokenIssuer issuer = issuers.get(name);
        if (issuer == null) {
            throw new NoSuchElementException("there is no token store '" + name + "'; there are " + issuers.keySet());
        }
        return issuer;
    }

    /** Completes with what the token says, {@link TokenIssuer.Claims}, or fails with {@link TokenIssuer.InvalidTokenException}. */
    public record ValidateToken(String store, String token) implements Command {
        @Override
        public int commandId() {
            return VALIDATE_TOKEN;
        }

        /** Without the token, which is as good as a password. */
        @Override
        public String toString() {
            return "ValidateToken[store=" + store + "]";
        }
    }

    /** Completes with a token, a String; see {@link TokenIssuer#create}. */
    public record CreateToken(
            String store, String actor, Set<String> scope, Duration expiration, Map<String, String> meta)
            implements Command {
        /** Copies what it gets. */
        public CreateToken {
            scope = Set.copyOf(scope);
            meta = Map.copyOf(meta);
        }

        @Override
        public int commandId() {
            return CREATE_TOKEN;
        }
    }

    /** Makes a token invalid. Completes with null; see {@link TokenIssuer#revoke}. */
    public record RevokeToken(String store, String token) implements Command {
        @Override
        public int commandId() {
            return REVOKE_TOKEN;
        }

        /** Without the token, which is as good as a password. */
        @Override
        public String toString() {
            return "RevokeToken[store=" + store + "]";
        }
    }
}
