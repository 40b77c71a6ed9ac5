"""One room's library: its profiles, presets, prompts and pools, as the room's commands name them.

It reads what the catalogues loaded and compiles on demand. Whatever it cannot give is a ``RefusedError`` with
one clear line: a command must never fail in another way because of a file.
"""

from collections.abc import Callable
from dataclasses import dataclass

from controller.api import Named
from controller.core.score import Scene, Score
from controller.errors import RefusedError, UserError
from playlists.catalogue import Pools
from profiles.catalogue import Catalogue
from profiles.compile import compile_scenes
from profiles.site import RoomModel


@dataclass(frozen=True, slots=True)
class SiteRoomLibrary:
    """Fulfils ``controller.room_commands.RoomLibrary`` for one room of the site.

    Catalogue and pools are asked for each time: a design may just have been saved, a piece have come in.
    """

    current_catalogue: Callable[[], Catalogue]
    room: RoomModel
    language: str
    current_pools: Callable[[], Pools]

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue now."""
        return self.current_catalogue()

    def score(self, profile: str) -> Score:
        """Compile a profile for the room.

        Raises:
            RefusedError: there is no such profile, or it cannot be used here.
        """
        try:
            return self.catalogue.score(profile, self.room, self.language)
        except UserError as error:
            raise RefusedError("unknown_profile", str(error)) from None

    def scene(self, name: str) -> Scene:
        """Compile a preset for the room.

        Raises:
            RefusedError: there is no such preset.
        """
        scenes = compile_scenes(self.room, self.catalogue.presets_for(self.room.id))
        if name not in scenes:
            known = f" (known: {', '.join(sorted(scenes))})"
            raise RefusedError("unknown_scene", "unknown scene '{scene}'", hint=known, scene=name)
        return scenes[name]

    def words(self, text: str, hour: int) -> str:
        """Return a prompt's words with the part of the day put in."""
        return self.catalogue.spoken(text, hour, self.language)

    def music_ms(self, pool: str) -> int | None:
        """Return how much music a pool holds, ms; None where our own pieces come round for ever."""
        loaded = self.current_pools().get(pool)
        if loaded is None:
            return 0
        generated = loaded.tracks and all(track.generated for track in loaded.tracks)
        return None if generated else loaded.sounding_ms

    def prompt_audio(self, prompt: str) -> str | None:
        """Return the path of a prompt's own recording, or None."""
        path = self.catalogue.recordings.get(prompt)
        return None if path is None else str(path)

    def profiles(self) -> tuple[Named, ...]:
        """The profiles, by title; what a clinic has not signed says so."""
        named = [
            Named(
                p.profile,
                p.title,
                f"{round(sum(phase.minutes for phase in p.phases))} min",
                p.status == "reviewed",
            )
            for p in self.catalogue.profiles.values()
        ]
        return tuple(sorted(named, key=lambda one: one.title))

    def pools(self) -> tuple[Named, ...]:
        """The pools."""
        loaded = sorted(self.current_pools(), key=lambda one: one.pool.title)
        return tuple(Named(one.pool_id, one.pool.title, f"{len(one.tracks)} tracks") for one in loaded)

    def presets(self) -> tuple[Named, ...]:
        """The presets."""
        presets = self.catalogue.presets_for(self.room.id)
        return tuple(Named(name, preset.title or name) for name, preset in presets.items())

    def prompts(self) -> tuple[Named, ...]:
        """The prompts that can be tapped, with their words."""
        named = []
        for name, prompt in self.catalogue.prompts.items():
            text = prompt.text.get(self.language) or next(iter(prompt.text.values()), "")
            named.append(Named(name, name.replace("-", " ").capitalize(), text))
        return tuple(named)
