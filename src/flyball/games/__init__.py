"""The flagship application: recommending games.

``catalogue`` holds facts about well-known games, ``world`` a built-in sample world of players with
hidden tastes, ``players`` lets those players use a live server.
"""
