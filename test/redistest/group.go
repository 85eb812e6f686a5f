package redistest

import (
	"fmt"
	"strings"
)

func addrs(servers []*Server) []string {
	list := make([]string, len(servers))
	for i, s := range servers {
		list[i] = s.Addr()
	}
	return list
}

func live(servers []*Server) []*Server {
	var list []*Server
	for _, s := range servers {
		if s.Live() {
			list = append(list, s)
		}
	}
	return list
}

// info returns a section of INFO.
func (s *Server) info(section string) (map[string]string, error) {
	text, err := s.text("INFO", section)
	return parseInfo(text), err
}

// parseInfo parses lines such as "role:master".
func parseInfo(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		fields[name] = value
	}
	return fields
}

// role returns an error if a server does not have a role.
func role(s *Server, wanted string) error {
	info, err := s.info("replication")
	if err == nil && info["role"] != wanted {
		err = fmt.Errorf("server on port %d is not a %s", s.Port, wanted)
	}
	return err
}

// attached returns an error unless a master has n replicas with its data.
func attached(master *Server, replicas int) error {
	info, err := master.info("replication")
	if err != nil {
		return err
	}
	online := 0
	for name, value := range info {
		if strings.HasPrefix(name, "slave") && strings.Contains(value, "state=online") {
			online++
		}
	}
	if info["role"] != "master" || online < replicas {
		return fmt.Errorf("server on port %d is a %s with %d of %d replicas", master.Port, info["role"], online, replicas)
	}
	return nil
}
