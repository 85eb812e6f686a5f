# Reads Cookie headers, a hexadecimal line each, and prints the names that parsers of Ruby find in each.
require "cgi"
require "json"
require "rack"
require "webrick/cookie"

PARSERS = {
  "Rack" => ->(header) { Rack::Utils.parse_cookies_header(header).keys },
  "cgi" => ->(header) { CGI::Cookie.parse(header).keys },
  "WEBrick" => ->(header) { WEBrick::Cookie.parse(header).map(&:name) },
}

$stdout.sync = true
$stdin.each_line do |line|
  header = [line.chomp].pack("H*")
  names = PARSERS.to_h do |name, parser|
    read = begin
      parser.call(header.dup)
    rescue StandardError
      []
    end
    [name, read.map { |n| n.to_s.b.encode("UTF-8", invalid: :replace, undef: :replace) }]
  end
  puts JSON.generate(names)
end
