package io.github.commandway.cloudstorage;

import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3Configuration;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.ListObjectsV2Response;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.presigner.S3Presigner;

/** A bucket in anything that speaks S3. */
public final class S3ObjectStore implements ObjectStore {
    private final S3Client client;
    private final S3Presigner presigner;
    private final String bucket;

    private S3ObjectStore(S3Client client, S3Presigner presigner, String bucket) {
        this.client = client;
        this.presigner = presigner;
        this.bucket = bucket;
    }

    /**
     * Opens a bucket; nothing is asked of the server yet.
     *
     * @param endpoint the server
     * @param region as the server calls it; for one that has none, any name
     * @param timeout how long the server may keep silent before a command fails
     */
    public static S3ObjectStore open(
            URI endpoint, String region, String accessKey, String secretKey, String bucket, Duration timeout) {
        StaticCredentialsProvider credentials =
                StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secretKey));
        // the bucket in the path works with every server, the one in the host name does not
        S3Configuration style =
                S3Configuration.builder().pathStyleAccessEnabled(true).build();
        S3Client client = S3Client.builder()
                .endpointOverride(endpoint)
                .region(Region.of(region))
                .credentialsProvider(credentials)
                .serviceConfiguration(style)
                .httpClient(UrlConnectionHttpClient.builder()
                        .connectionTimeout(timeout)
                        .socketTimeout(timeout)
                        .build())
                .build();
        S3Presigner presigner = S3Presigner.builder()
                .endpointOverride(endpoint)
                .region(Region.of(region))
                .credentialsProvider(credentials)
                .serviceConfiguration(style)
                .build();
        return new S3ObjectStore(client, presigner, bucket);
    }

    @Override
    public Page list(String prefix, String after, int max) throws IOException {
        ListObjectsV2Response response = ask(() -> client.listObjectsV2(request ->
                request.bucket(bucket).prefix(prefix).startAfter(after).maxKeys(max)));
        List<Info> items = response.contents().stream()
                .map(object ->
                        new Info(object.key(), object.size(), object.lastModified(), object.eTag(), null, Map.of()))
                .toList();
        return new Page(
                items, items.isEmpty() ? after : items.get(items.size() - 1).key(), response.isTruncated());
    }

    @Override
    public Download download(String key, long largest) throws IOException {
        try (ResponseInputStream<GetObjectResponse> content =
                ask(() -> client.getObject(request -> request.bucket(bucket).key(key)))) {
            GetObjectResponse response = content.response();
            if (response.contentLength() > largest) {
                content.abort();
                throw new IOException(
                        "object '" + key + "' has " + response.contentLength() + " bytes, and may have " + largest);
            }
            byte[] bytes = content.readNBytes((int) (long) response.contentLength());
            return new Download(
                    new Info(
                            key,
                            bytes.length,
                            response.lastModified(),
                            response.eTag(),
                            response.contentType(),
                            response.metadata()),
                    bytes);
        }
    }

    @Override
    public Info upload(String key, byte[] content, String contentType, Map<String, String> metadata)
            throws IOException {
        ask(() -> client.putObject(
                request ->
                        request.bucket(bucket).key(key).contentType(contentType).metadata(metadata),
                RequestBody.fromBytes(content)));
        return head(key);
    }

    @Override
    public void delete(String key) throws IOException {
        ask(() -> client.deleteObject(request -> request.bucket(bucket).key(key)));
    }

    @Override
    public Info head(String key) throws IOException {
        HeadObjectResponse response =
                ask(() -> client.headObject(request -> request.bucket(bucket).key(key)));
        return new Info(
                key,
                response.contentLength(),
                response.lastModified(),
                response.eTag(),
                response.contentType(),
                response.metadata());
    }

    @Override
    public URI presignGet(String key, Duration life) {
        return URI.create(presigner
                .presignGetObject(presign -> presign.signatureDuration(life)
                        .getObjectRequest(request -> request.bucket(bucket).key(key)))
                .url()
                .toString());
    }

    @Override
    public URI presignPut(String key, Duration life) {
        return URI.create(presigner
                .presignPutObject(presign -> presign.signatureDuration(life)
                        .putObjectRequest(request -> request.bucket(bucket).key(key)))
                .url()
                .toString());
    }

    @Override
    public void close() {
        client.close();
        presigner.close();
    }

    private static <T> T ask(Question<T> question) throws IOException {
        try {
            return question.ask();
        } catch (NoSuchKeyException e) {
            throw new NoSuchElementException("there is no such object", e);
        } catch (SdkException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    @FunctionalInterface
    private interface Question<T> {
        T ask();
    }
}
