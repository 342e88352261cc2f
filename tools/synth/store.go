package synth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"syntic/weights"
)

// Parts of a result that a store may keep.
const (
	Pictures = "pictures"
	Latents  = "latents"
	Features = "features"
)

// Parts lists them.
func Parts() []string { return []string{Pictures, Latents, Features} }

// endings are the parts' files.
var endings = map[string]string{Pictures: ".png", Latents: ".latent", Features: ".features"}

// Recipe is everything that a store's results depend on beside the captions.
type Recipe struct {
	Format    int      `json:"format"` // 1
	Keep      []string `json:"keep"`
	Model     string   `json:"model"`             // fingerprint of what draws
	Encoder   string   `json:"encoder,omitempty"` // fingerprint of what makes features
	Seed      uint64   `json:"seed"`
	Negative  string   `json:"negative"`
	Width     int      `json:"width"`
	Height    int      `json:"height"`
	Steps     int      `json:"steps"`
	Guidance  float64  `json:"guidance"`
	Scheduler string   `json:"scheduler"`
	Eta       float64  `json:"eta"`
	RNG       string   `json:"rng"`
	Tiles     bool     `json:"tiles"`
	Precision string   `json:"precision"`
	Threshold float64  `json:"threshold,omitempty"` // of the tags
}

// Shard is one part of the work: number I of N, from 1.
type Shard struct{ I, N int }

// ParseShard reads "i/n".
func ParseShard(s string) (Shard, error) {
	var p Shard
	if n, err := fmt.Sscanf(s, "%d/%d", &p.I, &p.N); err != nil || n != 2 || fmt.Sprintf("%d/%d", p.I, p.N) != s || p.I < 1 || p.I > p.N {
		return p, fmt.Errorf("the shard %q isn't i/n with i from 1 to n, such as 1/8", s)
	}
	return p, nil
}

// String returns the name that a shard's files have.
func (s Shard) String() string { return fmt.Sprintf("%d-of-%d", s.I, s.N) }

// Store is an open store, locked for one shard.
type Store struct {
	dir    string
	recipe Recipe
	shard  Shard
	lock   *flock.Flock
}

// Open makes the store, or opens it to go on.
//
// Errors: a folder that holds something else, or results of another recipe; a
// shard that another process is at work on.
func Open(dir string, r Recipe, s Shard) (*Store, error) {
	r.Format = 1
	st := &Store{dir: dir, recipe: r, shard: s}
	if err := st.fresh(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(st.temp(), 0o777); err != nil {
		return nil, err
	}
	st.lock = flock.New(filepath.Join(st.temp(), "lock"))
	switch ok, err := st.lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", dir, err)
	case !ok:
		return nil, fmt.Errorf("%s: another process is at work on shard %s", dir, s)
	}
	if err := st.begin(); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// fresh refuses a folder that is neither a store nor empty.
func (s *Store) fresh() error {
	list, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Name() == "store.json" || strings.HasPrefix(e.Name(), tempPrefix) {
			return nil
		}
	}
	if len(list) > 0 {
		return fmt.Errorf("%s holds other files (%s) and no store.json; give an empty or new folder", s.dir, list[0].Name())
	}
	return nil
}

const tempPrefix = "unfinished-"

// temp is where this shard's files are written before they get their names.
func (s *Store) temp() string { return filepath.Join(s.dir, tempPrefix+s.shard.String()) }

// begin drops what a killed run left unfinished and compares the recipes.
func (s *Store) begin() error {
	list, err := os.ReadDir(s.temp())
	if err != nil {
		return err
	}
	for _, e := range list {
		if e.Name() == "lock" {
			continue
		}
		if err := os.Remove(filepath.Join(s.temp(), e.Name())); err != nil {
			return err
		}
	}
	want, err := json.MarshalIndent(s.recipe, "", "  ")
	if err != nil {
		return err
	}
	want = append(want, '\n')
	name := filepath.Join(s.dir, "store.json")
	got, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s.write(name, func(w io.Writer) error { _, err := w.Write(want); return err })
	case err != nil:
		return err
	case bytes.Equal(got, want):
		return nil
	}
	var old Recipe
	if err := json.Unmarshal(got, &old); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return fmt.Errorf("%s was made with %s; give the same, or another folder", s.dir, old.differs(s.recipe))
}

// differs names the first field in which two recipes differ.
func (r Recipe) differs(other Recipe) string {
	a, b := reflect.ValueOf(r), reflect.ValueOf(other)
	for i := range a.NumField() {
		if x, y := a.Field(i).Interface(), b.Field(i).Interface(); !reflect.DeepEqual(x, y) {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			return fmt.Sprintf("%s %v, not %v", name, x, y)
		}
	}
	return "other fields"
}

// write makes a file appear whole.
func (s *Store) write(path string, fill func(w io.Writer) error) error {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(s.temp()), renameio.WithPermissions(0o666))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // after CloseAtomicallyReplace there is nothing left to clean
	if err := fill(f); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// path is where a part of an item lies.
func (s *Store) path(key, part string) string {
	return filepath.Join(s.dir, "objects", key[:2], key+endings[part])
}

// has reports whether a part is there.
func (s *Store) has(key, part string) (bool, error) {
	_, err := os.Stat(s.path(key, part))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// put writes a part.
func (s *Store) put(key, part string, fill func(w io.Writer) error) error {
	path := s.path(key, part)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return s.write(path, fill)
}

// putTensors writes a part that is a safetensors file.
func (s *Store) putTensors(key, part string, tensors []weights.Info, about map[string]string) error {
	return s.put(key, part, func(w io.Writer) error { return weights.Encode(w, tensors, about) })
}

// Close lets go of the shard; its temporary folder goes with it.
func (s *Store) Close() error {
	err := os.RemoveAll(s.temp())
	return errors.Join(err, s.lock.Close())
}
