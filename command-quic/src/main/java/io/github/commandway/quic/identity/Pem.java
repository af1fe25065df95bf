package io.github.commandway.quic.identity;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.cert.CertificateEncodingException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.openssl.PEMEncryptedKeyPair;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.pkcs.PKCS8EncryptedPrivateKeyInfo;

/** The keys and certificates of one PEM file (RFC 7468), in its order. */
record Pem(List<PrivateKey> keys, List<X509Certificate> certificates) {

    private static final int MAX_FILE_BYTES = 1024 * 1024;

    static Pem read(Path file) throws IOException {
        String text = new String(PrivateFiles.read(file, MAX_FILE_BYTES), StandardCharsets.US_ASCII);
        List<PrivateKey> keys = new ArrayList<>();
        List<X509Certificate> certificates = new ArrayList<>();
        try (PEMParser parser = new PEMParser(new StringReader(text))) {
            for (Object object = parser.readObject(); object != null; object = parser.readObject()) {
                if (object instanceof X509CertificateHolder holder) {
                    certificates.add(new JcaX509CertificateConverter().getCertificate(holder));
                } else if (object instanceof PrivateKeyInfo info) {
                    keys.add(new JcaPEMKeyConverter().getPrivateKey(info));
                } else if (object instanceof PEMKeyPair pair) {
                    keys.add(new JcaPEMKeyConverter().getPrivateKey(pair.getPrivateKeyInfo()));
                } else if (object instanceof PKCS8EncryptedPrivateKeyInfo || object instanceof PEMEncryptedKeyPair) {
                    throw new IdentityException(file + ": encrypted private keys are not supported");
                }
            }
        } catch (IdentityException e) {
            throw e;
        } catch (IOException | CertificateException | RuntimeException e) { // the parser throws unchecked ones as well
            throw new IdentityException(file + " is damaged: it is not valid PEM", e);
        }
        return new Pem(List.copyOf(keys), List.copyOf(certificates));
    }

    static PrivateKey readKey(Path file) throws IOException {
        List<PrivateKey> keys = read(file).keys();
        if (keys.size() != 1) {
            throw new IdentityException(file + " must hold exactly one private key, but holds " + keys.size());
        }
        return keys.get(0);
    }

    static List<X509Certificate> readCertificates(Path file) throws IOException {
        List<X509Certificate> certificates = read(file).certificates();
        if (certificates.isEmpty()) {
            throw new IdentityException(file + " holds no certificate");
        }
        return certificates;
    }

    byte[] encoded() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        keys.forEach(key -> append(out, "PRIVATE KEY", key.getEncoded()));
        certificates.forEach(certificate -> append(out, "CERTIFICATE", der(certificate)));
        return out.toByteArray();
    }

    static byte[] encoded(PrivateKey key) {
        return new Pem(List.of(key), List.of()).encoded();
    }

    static byte[] encoded(List<X509Certificate> certificates) {
        return new Pem(List.of(), certificates).encoded();
    }

    static byte[] der(X509Certificate certificate) {
        try {
            return certificate.getEncoded();
        } catch (CertificateEncodingException e) {
            throw new IllegalArgumentException("a certificate that has no encoding", e);
        }
    }

    /** The keys stay out of logs. */
    @Override
    public String toString() {
        return "Pem[" + keys.size() + " keys, " + certificates.size() + " certificates]";
    }

    private static void append(ByteArrayOutputStream out, String label, byte[] der) {
        String body = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
        out.writeBytes(("-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----\n")
                .getBytes(StandardCharsets.US_ASCII));
    }
}
