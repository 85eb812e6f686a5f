// Reads Cookie headers, a hexadecimal line each, and prints the names that Tomcat finds in each.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;
import java.util.StringJoiner;
import java.util.TreeMap;
import java.util.logging.LogManager;
import org.apache.tomcat.util.http.CookieProcessor;
import org.apache.tomcat.util.http.LegacyCookieProcessor;
import org.apache.tomcat.util.http.MimeHeaders;
import org.apache.tomcat.util.http.Rfc6265CookieProcessor;
import org.apache.tomcat.util.http.ServerCookies;

public class Names {
    public static void main(String[] args) throws Exception {
        LogManager.getLogManager().reset(); // it would log what it does not understand
        LegacyCookieProcessor lenient = new LegacyCookieProcessor();
        lenient.setAllowEqualsInValue(true);
        lenient.setAllowHttpSepsInV0(true);
        Map<String, CookieProcessor> parsers = new TreeMap<>(Map.of("Tomcat", new Rfc6265CookieProcessor(), "Tomcat, legacy",
            new LegacyCookieProcessor(), "Tomcat, legacy and lenient", lenient));
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null;) {
            byte[] header = HexFormat.of().parseHex(line);
            StringJoiner all = new StringJoiner(",", "{", "}");
            for (Map.Entry<String, CookieProcessor> parser : parsers.entrySet()) {
                MimeHeaders headers = new MimeHeaders();
                headers.addValue("Cookie").setBytes(header, 0, header.length);
                ServerCookies cookies = new ServerCookies(4);
                try {
                    parser.getValue().parseCookieHeader(headers, cookies);
                } catch (RuntimeException e) {
                    // It refuses the request.
                }
                StringJoiner names = new StringJoiner(",", "[", "]");
                for (int i = 0; i < cookies.getCookieCount(); i++) {
                    names.add(quoted(cookies.getCookie(i).getName().toString()));
                }
                all.add(quoted(parser.getKey()) + ":" + names);
            }
            System.out.println(all);
        }
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            out.append(String.format("\\u%04x", (int) c));
        }
        return out.append('"').toString();
    }
}
