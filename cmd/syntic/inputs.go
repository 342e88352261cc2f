package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"syntic/models/vision"
	"syntic/tools/world"
)

// endings are the file names taken from a folder; a file named by itself is
// judged by its content alone.
var endings = []string{".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff"}

// fetchTimeout bounds the download of one picture.
const fetchTimeout = 30 * time.Second

// expand turns arguments into picture names: files, folders (all pictures below
// them, in order), patterns that the shell left alone, sample names, URLs where
// fetching is allowed, and "-" for standard input.
func expand(args []string, fetch bool) ([]string, error) {
	var names []string
	for _, arg := range args {
		switch {
		case arg == "-" || strings.HasPrefix(arg, world.SamplePrefix):
			names = append(names, arg)
		case isURL(arg):
			if !fetch {
				return nil, usagef("%s: URLs are not fetched unless --fetch is given", arg)
			}
			names = append(names, arg)
		default:
			found, err := expandPath(arg)
			if err != nil {
				return nil, err
			}
			names = append(names, found...)
		}
	}
	return names, nil
}

func isURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

func expandPath(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	switch {
	case err == nil && !info.IsDir():
		return []string{arg}, nil
	case err == nil:
		return folder(arg)
	case errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(arg, "*?["):
		return []string{arg}, nil // reported when it is read, so that the others go on
	case strings.ContainsAny(arg, "*?["):
		found, err := filepath.Glob(arg)
		if err != nil {
			return nil, usagef("%s: %v", arg, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: no file matches", arg)
		}
		return found, nil
	}
	return nil, err
}

func folder(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && slices.Contains(endings, strings.ToLower(filepath.Ext(path))) {
			names = append(names, path)
		}
		return err
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s: no pictures (%s) in this folder", dir, strings.Join(endings, " "))
	}
	return names, err
}

// readPicture decodes one expanded name.
func (a *app) readPicture(ctx context.Context, name string) (*vision.Picture, error) {
	r, err := a.openPicture(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, _, err := vision.Decode(r, vision.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func (a *app) openPicture(ctx context.Context, name string) (io.ReadCloser, error) {
	switch {
	case name == "-":
		return io.NopCloser(a.in), nil
	case strings.HasPrefix(name, world.SamplePrefix):
		return world.OpenSample(name)
	case isURL(name):
		return fetch(ctx, name)
	}
	return os.Open(name)
}

// fetch downloads a picture; the decoder's own limit bounds its size.
func fetch(ctx context.Context, url string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Timeout: fetchTimeout}).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("%s: the server answered %s", url, resp.Status)
	}
	return resp.Body, nil
}
