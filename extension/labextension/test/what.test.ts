import assert from 'node:assert/strict';
import { test } from 'node:test';

import { canStay, datasetName, isData, isImage, isVideo, nameOf } from '../src/what';

test('what is taken in has a name', () => {
  for (const [source, name] of [
    ['https://host/a/cells.tar.gz?sig=a/b#c', 'cells'],
    [' s3://bucket/cells/ ', 'cells'],
    ['file:///data/v1.2', 'v1.2'],
    ['hf://owner/cells@main', 'cells'],
    ['', 'dataset']
  ]) {
    assert.equal(datasetName(nameOf({ source })), name);
  }
  assert.equal(datasetName(nameOf({ path: 'a/film.MP4' })), 'film');
  assert.equal(datasetName(nameOf({ file: new File([], 'a.zip') })), 'a');
});

test('what it is, its name says', () => {
  assert.deepEqual(['a.mp4', 'a.MOV', 'mp4'].map(isVideo), [true, true, false]);
  assert.deepEqual(['a.JPG', 'a.tif', 'a.zip', 'png'].map(isImage), [true, true, false, false]);
  assert.deepEqual(['a.zip', 'a.tar.zst', 'a.mkv', 'a.png', 'a.py', 'zip'].map(isData), [
    true,
    true,
    true,
    false,
    false,
    false
  ]);
});

test('only images of folders and object stores may stay there', () => {
  assert.deepEqual(['s3://a/b', ' FILE:///a', 'https://a/b', 'hf://a/b', 'a/b', ''].map(canStay), [
    true,
    true,
    false,
    false,
    false,
    false
  ]);
});
