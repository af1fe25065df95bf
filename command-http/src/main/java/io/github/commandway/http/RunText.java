package io.github.commandway.http;

import io.github.commandway.tool.api.OutputDecoder;
import io.github.commandway.tool.api.RunOutput;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Turns the output of a run into text, and knows how to name the place behind it, so that a reader who comes back misses nothing and gets nothing twice, not even if the place is within a character.
 * Used by one reader.
 */
final class RunText {
    private static final Pattern PLACE =
            Pattern.compile("([fe])(\\d{1,18})(?:-([0-9a-f]{2,16}))?(?:_([0-9a-f]{2,16}))?");
    private static final List<String> CHANNELS = List.of("stdout", "stderr");

    private final Map<String, Decoding> channels = new TreeMap<>();
    private final Map<String, byte[]> rests = new TreeMap<>();

    private record Decoding(Charset charset, OutputDecoder decoder) {}

    /** Text of one channel. */
    record Text(String channel, String text) {}

    /** A place that was given out as the id of an event, or null if the text is none. Takes over where that reader was. */
    RunReader.@Nullable Position resume(String place) {
        Matcher matcher = PLACE.matcher(place);
        if (!matcher.matches()) {
            return null;
        }
        for (int channel = 0; channel < CHANNELS.size(); channel++) {
            String rest = matcher.group(3 + channel);
            if (rest != null && rest.length() % 2 == 0) {
                rests.put(CHANNELS.get(channel), HexFormat.of().parseHex(rest));
            }
        }
        return new RunReader.Position(
                matcher.group(1).equals("f") ? RunReader.Source.FILE : RunReader.Source.EVENTS,
                Long.parseLong(matcher.group(2)));
    }

    /** The place behind what was decoded last, which ended there. */
    String place(RunReader.Source source, long next) {
        StringBuilder place = new StringBuilder(source == RunReader.Source.FILE ? "f" : "e").append(next);
        for (int channel = 0; channel < CHANNELS.size(); channel++) {
            Decoding decoding = channels.get(CHANNELS.get(channel));
            byte[] unread = rests.get(CHANNELS.get(channel));
            byte[] rest = decoding == null ? unread : decoding.decoder.rest();
            if (rest != null && rest.length > 0) {
                place.append(channel == 0 ? '-' : '_').append(HexFormat.of().formatHex(rest));
            }
        }
        return place.toString();
    }

    /** The text of a piece; a character that is cut comes with the next piece of the channel. */
    Text decode(RunOutput.Piece piece) {
        Decoding decoding = channels.get(piece.channel());
        String before = "";
        if (decoding == null || !decoding.charset.equals(piece.charset())) {
            byte[] rest = rests.remove(piece.channel());
            before = decoding == null ? "" : decoding.decoder.finish();
            decoding = new Decoding(
                    piece.charset(), new OutputDecoder(piece.charset(), rest == null ? new byte[0] : rest));
            channels.put(piece.channel(), decoding);
        }
        return new Text(piece.channel(), before + decoding.decoder.decode(piece.data()));
    }

    /** What is left of characters that never came whole. */
    List<Text> finish() {
        List<Text> texts = new ArrayList<>();
        channels.forEach((channel, decoding) -> {
            String text = decoding.decoder.finish();
            if (!text.isEmpty()) {
                texts.add(new Text(channel, text));
            }
        });
        return texts;
    }

    /** Forgets what came before a gap. */
    void reset() {
        channels.clear();
        rests.clear();
    }
}
