package io.github.commandway.quic.identity;

import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.ECParameterSpec;
import java.security.spec.ECPoint;
import java.security.spec.ECPublicKeySpec;
import java.util.Base64;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x9.X9ECParameters;
import org.bouncycastle.crypto.ec.CustomNamedCurves;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.math.ec.FixedPointCombMultiplier;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.pkcs.PKCSException;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;

/** P-256 keys, digests and PKCS#10 requests. */
final class Keys {

    static final String SIGNATURE_ALGORITHM = "SHA256withECDSA";

    private static final String CURVE = "secp256r1";
    private static final X9ECParameters P256 = CustomNamedCurves.getByName(CURVE);
    /** Verifies a signature by a new key in a third of the JDK's time; used as an object, without entering it into the JVM's list. */
    private static final Provider BOUNCY_CASTLE = new BouncyCastleProvider();

    private static final int MAX_REQUEST_BYTES = 16 * 1024;

    private Keys() {}

    static KeyPair generate(SecureRandom random) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec(CURVE), random);
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this JVM cannot make P-256 keys", e);
        }
    }

    static boolean isP256(PublicKey key) {
        return key instanceof ECPublicKey ecKey && isP256(ecKey.getParams());
    }

    private static boolean isP256(ECParameterSpec curve) {
        return curve.getOrder().equals(P256.getN())
                && curve.getCurve().getA().equals(P256.getCurve().getA().toBigInteger())
                && curve.getCurve().getB().equals(P256.getCurve().getB().toBigInteger());
    }

    /** Both halves of a P-256 key of which a file holds only the private one. */
    static KeyPair pairOf(PrivateKey key) throws IdentityException {
        if (!(key instanceof ECPrivateKey ecKey) || !isP256(ecKey.getParams())) {
            throw new IdentityException("the private key is not an EC key on P-256");
        }
        var q = new FixedPointCombMultiplier()
                .multiply(P256.getG(), ecKey.getS())
                .normalize();
        BigInteger x = q.getAffineXCoord().toBigInteger();
        BigInteger y = q.getAffineYCoord().toBigInteger();
        try {
            PublicKey publicKey = KeyFactory.getInstance("EC")
                    .generatePublic(new ECPublicKeySpec(new ECPoint(x, y), ecKey.getParams()));
            return new KeyPair(publicKey, key);
        } catch (GeneralSecurityException e) {
            throw new IdentityException("the private key is damaged", e);
        }
    }

    /** Whether the two halves belong together, whatever kind of key they are. */
    static boolean match(PrivateKey privateKey, PublicKey publicKey) {
        String algorithm = switch (privateKey.getAlgorithm()) {
            case "EC" -> SIGNATURE_ALGORITHM;
            case "RSA" -> "SHA256withRSA";
            default -> privateKey.getAlgorithm();
        };
        try {
            byte[] probe = {1, 2, 3};
            Signature signature = Signature.getInstance(algorithm);
            signature.initSign(privateKey);
            signature.update(probe);
            byte[] signed = signature.sign();
            signature.initVerify(publicKey);
            signature.update(probe);
            return signature.verify(signed);
        } catch (GeneralSecurityException e) {
            return false; // of different kinds, or on different curves
        }
    }

    static byte[] sha256(byte[] content) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(content);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JVM has SHA-256", e);
        }
    }

    /** Names a key, wherever it is: the SHA-256 of its SubjectPublicKeyInfo in base64url. */
    static String fingerprint(PublicKey key) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(sha256(key.getEncoded()));
    }

    static byte[] request(KeyPair keys, SecureRandom random) {
        try {
            var signer = new JcaContentSignerBuilder(SIGNATURE_ALGORITHM)
                    .setSecureRandom(random)
                    .build(keys.getPrivate());
            // The subject is a formality: the server decides the id.
            return new JcaPKCS10CertificationRequestBuilder(new X500Name("CN=Commandway agent"), keys.getPublic())
                    .build(signer)
                    .getEncoded();
        } catch (OperatorCreationException | IOException e) {
            throw new IllegalStateException("this JVM cannot sign a certificate request", e);
        }
    }

    /** The P-256 key of a PKCS#10 request whose signature proves that the sender holds it. */
    static PublicKey requestedKey(byte[] requestDer) throws IdentityException {
        if (requestDer.length > MAX_REQUEST_BYTES) {
            throw new IdentityException("the certificate request is longer than " + MAX_REQUEST_BYTES + " bytes");
        }
        try {
            var request = new JcaPKCS10CertificationRequest(requestDer);
            PublicKey key = request.getPublicKey();
            if (!isP256(key)) {
                throw new IdentityException("the certificate request's key is not an EC key on P-256");
            }
            if (!request.isSignatureValid(new JcaContentVerifierProviderBuilder()
                    .setProvider(BOUNCY_CASTLE)
                    .build(key))) {
                throw new IdentityException("the certificate request was not signed by the key that it asks for");
            }
            return key;
        } catch (IdentityException e) {
            throw e;
        } catch (IOException
                | GeneralSecurityException
                | OperatorCreationException
                | PKCSException
                | RuntimeException e) { // the ASN.1 parser reports some damage as unchecked exceptions
            throw new IdentityException("the certificate request is not valid PKCS#10", e);
        }
    }
}
